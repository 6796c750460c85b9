/** Dependencies point one way: cmd -> controller, gateway -> kube, pki -> api. */
const layer = (name, from, to) => ({
  name,
  severity: "error",
  comment: "Dependencies point one way: cmd -> controller, gateway -> kube, pki -> api.",
  from: { path: from },
  to: { path: to },
});

const tools = ["vitest", "fast-check", "esbuild", "typescript", "@swc", "knip", "oxlint", "oxfmt"];
const tests = "\\.test\\.ts$";

export default {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    layer("api-stands-alone", "^api/", "^(kube|pki|controller|gateway|cmd|test|bench)/"),
    layer("kube-knows-only-api", "^kube/", "^(pki|controller|gateway|cmd|bench)/"),
    layer("pki-knows-only-api", "^pki/", "^(kube|controller|gateway|cmd|bench)/"),
    layer("controller-below-cmd", "^controller/", "^(gateway|cmd|bench)/"),
    layer("gateway-below-cmd", "^gateway/", "^(controller|cmd|bench)/"),
    {
      name: "product-knows-no-tests",
      severity: "error",
      from: { path: "^(api|kube|pki|controller|gateway|cmd)/", pathNot: tests },
      to: { path: "^(test|bench)/" },
    },
    {
      // Bundles hold what the product imports, so that npm knows of no dependencies: tools are named here.
      name: "no-tool-in-product",
      severity: "error",
      from: {
        path: "^(api|kube|pki|controller|gateway|cmd/(controller|gateway|link))/",
        pathNot: tests,
      },
      to: { path: `^node_modules/(${tools.join("|")})/` },
    },
    { name: "no-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // TypeScript 7 has no JavaScript API to parse with.
    parser: "swc",
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};
