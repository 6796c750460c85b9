# The image of `npm run image` for those who build with Docker: the same files, user, environment and entry point
# (test/integration/packaging/release.test.ts). Node comes from npm, its libraries from this Debian.
#   docker build --tag isthmus:0.2.0 .
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY . .
RUN npm install --no-save --loglevel=error \
 && node_modules/.bin/node cmd/build/bundle.ts \
 && node_modules/.bin/node cmd/build/image.ts --root-folder /image

FROM scratch
COPY --from=build /image /
LABEL org.opencontainers.image.title="isthmus" \
      org.opencontainers.image.description="Multi-cluster Kubernetes service mirroring without a mesh: ordinary Services, one mutually authenticated connection, closed unless known to be good." \
      org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH="/usr/local/bin:/usr/bin:/bin" \
    NODE_ENV="production"
WORKDIR /app
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node"]
