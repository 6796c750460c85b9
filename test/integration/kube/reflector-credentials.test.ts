import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import { closedAtEnd, configFor, eventually } from "../fixtures.ts";
import { reflectorBench } from "./reflector-bench.ts";

async function temporaryFile(text: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "isthmus-test-"));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  const file = path.join(folder, "token");
  await writeFile(file, text);
  return file;
}

/** A token of a ServiceAccount that may read the namespace's ConfigMaps. */
async function readerToken(admin: KubeClient, namespace: string): Promise<string> {
  const metadata = { namespace, name: "reader" };
  const group = "rbac.authorization.k8s.io";
  await admin.create(RESOURCES.serviceAccounts, { metadata });
  const rules = [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch"] }];
  const role: { metadata: typeof metadata; rules: object[] } = { metadata, rules };
  await admin.create(RESOURCES.roles, role);
  const binding = {
    metadata,
    roleRef: { apiGroup: group, kind: "Role", name: "reader" },
    subjects: [{ kind: "ServiceAccount", ...metadata }],
  };
  await admin.create(RESOURCES.roleBindings, binding);
  const { status } = await admin.request<{ status: { token: string } }>({
    method: "POST",
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/reader/token`,
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
  });
  return status.token;
}

test("a token that is no longer valid shows as Unauthorized and heals when its file is replaced", async () => {
  const file = await temporaryFile("");
  // Moved on by hand: the client reads the file again when time has passed, or after a rejection.
  let elapsedMs = 0;
  const clock = { ...systemClock, nowMs: () => elapsedMs };
  const bench = await reflectorBench((proxy) =>
    closedAtEnd(createKubeClient(configFor(proxy, { tokenFile: file }), { clock })),
  );
  await writeFile(file, `${await readerToken(bench.admin, bench.namespace)}\n`);
  const reflector = await bench.startSynced();
  await bench.put("a", "1");
  expect(await bench.takeEvents()).toEqual(["apply a=1"]);

  await writeFile(file, "expired");
  elapsedMs = 60_000;
  bench.proxy.cutWatches();
  await eventually(() => expect(reflector.lastError).toMatchObject({ statusCode: 401 }), {
    describe: "an Unauthorized error",
  });
  expect(reflector.state).toBe("backoff");
  await bench.remove("a");

  const { status } = await bench.admin.request<{ status: { token: string } }>({
    method: "POST",
    path: `/api/v1/namespaces/${bench.namespace}/serviceaccounts/reader/token`,
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
  });
  await writeFile(file, status.token);
  expect(await bench.takeEvents()).toEqual(["delete a"]);
  expect(reflector.lastError).toBeUndefined();
  expect(reflector.state).toBe("watching");
});

test("a permission that is missing shows as Forbidden, with verb and resource, and heals when it is given", async () => {
  const file = await temporaryFile("");
  const bench = await reflectorBench((proxy) =>
    closedAtEnd(createKubeClient(configFor(proxy, { tokenFile: file }))),
  );
  const token = await readerToken(bench.admin, bench.namespace);
  const key = { namespace: bench.namespace, name: "reader" };
  const binding = await bench.admin.get(RESOURCES.roleBindings, key);
  await bench.admin.remove(RESOURCES.roleBindings, key);
  await writeFile(file, token);
  const reflector = await bench.start();
  await eventually(
    () =>
      expect(String(reflector.lastError)).toMatch(
        /403 Forbidden.*cannot list resource "configmaps"/,
      ),
    { describe: "a Forbidden error" },
  );
  expect(reflector.synced).toBe(false);
  const { resourceVersion: _, uid: __, ...metadata } = binding.metadata;
  await bench.admin.create(RESOURCES.roleBindings, { ...binding, metadata });
  await reflector.waitForSync(AbortSignal.timeout(10_000));
  expect(reflector.lastError).toBeUndefined();
});
