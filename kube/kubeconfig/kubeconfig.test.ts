import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { stringify } from "yaml";
import { contextNames, loadInCluster, loadKubeconfig } from "./kubeconfig.ts";

afterEach(() => vi.unstubAllEnvs());

/** Writes kubeconfigs, each with one cluster, user and context for every given name. */
async function files(...contents: Record<string, string>[]): Promise<string[]> {
  const folder = await mkdtemp(path.join(tmpdir(), "isthmus-test-"));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  return await Promise.all(
    contents.map(async (servers, index) => {
      const names = Object.keys(servers);
      const file = path.join(folder, `config-${index}`);
      const config = {
        "current-context": names[0],
        contexts: names.map((name) => ({ name, context: { cluster: name, user: name } })),
        clusters: names.map((name) => ({ name, cluster: { server: servers[name] } })),
        users: names.map((name) => ({ name, user: { token: name } })),
      };
      await writeFile(file, stringify(config));
      return file;
    }),
  );
}

test("of several files the first to name a thing wins, and the first current context", async () => {
  const paths = await files({ west: "https://1" }, { west: "https://2", east: "https://3" });
  const env = { KUBECONFIG: [...paths, "/nowhere"].join(path.delimiter) };
  expect(loadKubeconfig({ env }).getCurrentCluster()?.server).toBe("https://1");
  expect(loadKubeconfig({ env, context: "east" }).getCurrentCluster()?.server).toBe("https://3");
});

test("a file that was asked for wins over KUBECONFIG", async () => {
  const [first = "", second = ""] = await files({ west: "https://1" }, { east: "https://2" });
  const config = loadKubeconfig({ path: second, env: { KUBECONFIG: first } });
  expect(config.getCurrentContext()).toBe("east");
});

test("an unknown context is refused with those there are", async () => {
  const [file = ""] = await files({ west: "https://1", east: "https://2" });
  expect(() => loadKubeconfig({ path: file, context: "north" })).toThrow(
    `context north not found; contexts in ${file}: west, east`,
  );
});

test("the contexts of all files can be listed, and a broken file has none", async () => {
  const [first = "", second = ""] = await files({ west: "https://1" }, { east: "https://2" });
  const env = { KUBECONFIG: [first, second, "/nowhere"].join(path.delimiter) };
  expect(contextNames({ env })).toEqual(["west", "east"]);
  await writeFile(second, "{[");
  expect(contextNames({ path: second })).toEqual([]);
});

test("missing files are named", () => {
  expect(() => loadKubeconfig({ path: "/nowhere/config" })).toThrow("/nowhere/config not found");
  expect(() => loadKubeconfig({ env: { HOME: "/nowhere" } })).toThrow(
    "/nowhere/.kube/config not found",
  );
});

test("a file that is no kubeconfig is named", async () => {
  const [file = ""] = await files({});
  await writeFile(file, "{[");
  expect(() => loadKubeconfig({ path: file })).toThrow(`kubeconfig ${file} cannot be read`);
});

test("in a pod the server comes from the environment; outside of one that is said", () => {
  vi.stubEnv("KUBERNETES_SERVICE_HOST", "10.96.0.1");
  vi.stubEnv("KUBERNETES_SERVICE_PORT", undefined);
  expect(() => loadInCluster()).toThrow("not in a pod: KUBERNETES_SERVICE_PORT not set");
  vi.stubEnv("KUBERNETES_SERVICE_PORT", "443");
  expect(loadInCluster().getCurrentCluster()?.server).toBe("https://10.96.0.1:443");
});
