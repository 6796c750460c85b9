import type { IncomingMessage } from "node:http";
import { request, type RequestOptions } from "node:https";
import { text } from "node:stream/consumers";
import type { KubeConfig } from "@kubernetes/client-node";
import { RESOURCES } from "../../api/resources.ts";
import { resourcePath } from "../../kube/client/resource-path.ts";

const SILENCE_TIMEOUT_MS = 20_000;

/**
 * Opens the log of a pod through the API server, as a stream of its text.
 * @throws Error for an answer other than 200: its text, or that none came in time.
 */
export async function openPodLog(
  kubeConfig: KubeConfig,
  pod: { readonly namespace: string; readonly name: string },
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const server = kubeConfig.getCurrentCluster()?.server ?? "";
  const options: RequestOptions = { signal };
  await kubeConfig.applyToHTTPSOptions(options);
  const path = `${resourcePath(RESOURCES.pods, pod, "log")}?${query.toString()}`;
  const outgoing = request(new URL(path, server), options);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  outgoing.once("response", resolve);
  // Once the answer has begun, its stream tells.
  outgoing.on("error", reject);
  outgoing.setTimeout(SILENCE_TIMEOUT_MS, () =>
    outgoing.destroy(new Error(`the API server said nothing for ${SILENCE_TIMEOUT_MS} ms`)),
  );
  outgoing.end();
  const response = await promise;
  // A log that is followed may have nothing to tell.
  if (query.has("follow")) outgoing.setTimeout(0);
  if (response.statusCode === 200) return response;
  throw new Error(`${path}: ${response.statusCode ?? "?"} ${await text(response)}`);
}
