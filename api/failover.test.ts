import { describe, expect, test } from "vitest";
import { counterpartOf, type FailoverPolicy, readFailover } from "./failover.ts";
import { ANNOTATIONS, CONTROLLER_FIELD_MANAGER, LABELS, MANAGED_BY } from "./names.ts";
import type { ObjectMeta, Service, ServicePort } from "./objects.ts";
import { formatSource } from "./ownership.ts";
import { type Finding, REASONS } from "./reasons.ts";

const http = { name: "http", port: 80 };
const grpc = { name: "grpc", port: 9000, protocol: "TCP" };
const dns = { name: "dns", port: 53, protocol: "UDP" };

function web(
  annotations: Record<string, string>,
  spec: Service["spec"] = {},
  metadata: Partial<ObjectMeta> = {},
): Service {
  return {
    metadata: { namespace: "shop", name: "web", annotations, ...metadata },
    spec: { clusterIP: "10.0.0.1", ports: [http, grpc, dns], ...spec },
  };
}

/** What a Service of cluster east asks for; it has to ask for something. */
function read(service: Service): { policy: FailoverPolicy; findings: Finding[] } {
  const request = readFailover(service, "east");
  if (request?.kind !== "wanted") throw new Error(`reads as ${JSON.stringify(request)}`);
  return request;
}

function targetsOf(failover: string): string[] {
  return read(web({ [ANNOTATIONS.failover]: failover })).policy.targets.map(formatSource);
}

/** The ports that fail over by this list, and what the target's are called. */
function portsOf(list: string): [string | undefined, string | undefined][] {
  const annotations = { [ANNOTATIONS.failover]: "west", [ANNOTATIONS.failoverPorts]: list };
  return read(web(annotations)).policy.ports.map(({ own, theirs }) => [own.name, theirs]);
}

/** What is said of a list of targets. */
function saidOf(failover: string): string[] {
  return read(web({ [ANNOTATIONS.failover]: failover }, { ports: [http] })).findings.map(
    ({ message }) => message,
  );
}

describe("the targets of a Service", () => {
  test("are clusters, or Services of other names written out, in the order of the annotation", () => {
    expect(targetsOf(" west ,north/shop2/web-v2,, south")).toEqual([
      "west/shop/web",
      "north/shop2/web-v2",
      "south/shop/web",
    ]);
    expect(saidOf(" west ,north/shop2/web-v2,, south")).toEqual([]);
  });

  test("are nobody's business without the annotation", () => {
    expect(readFailover(web({}), "east")).toBeUndefined();
    expect(readFailover({ metadata: { name: "web" } }, "east")).toBeUndefined();
    expect(readFailover(web({ [ANNOTATIONS.failoverMode]: "active" }), "east")).toBeUndefined();
  });

  test.for<[string, string[], string]>([
    ["West,north", ["north/shop/web"], "has West, which is neither"],
    ["west!,north", ["north/shop/web"], "has west!, which is neither"],
    ["west/shop,north", ["north/shop/web"], "has west/shop, which is neither"],
    ["west/shop/web/http", [], "has west/shop/web/http, which is neither"],
    ["west//web,north", ["north/shop/web"], "has west//web, which is neither"],
    ["west/shop/1web,north", ["north/shop/web"], "has west/shop/1web, which is neither"],
    ["/,//,north", ["north/shop/web"], "has /, //, which is neither"],
    ["west north", [], "has west north, which is neither"],
    ["west;north", [], "has west;north, which is neither"],
    [`${"w".repeat(64)},north`, ["north/shop/web"], "www, which is neither"],
    ["east,west", ["west/shop/web"], "names east, which is this cluster itself; name another"],
    ["west,east/other/web", ["west/shop/web"], "names east/other/web, which is this cluster"],
    ["west,north,west", ["west/shop/web", "north/shop/web"], "names west twice; the first counts"],
    ["west,west/shop/web", ["west/shop/web"], "names west/shop/web twice; the first counts"],
    ["", [], 'names no cluster; write such as "west,north", or remove it'],
    [" , ,", [], 'names no cluster; write such as "west,north", or remove it'],
  ])("of %j are %j, and what is wrong is told", ([list, targets, message]) => {
    expect(targetsOf(list)).toEqual(targets);
    const said = saidOf(list);
    expect(said).toEqual([expect.stringMatching(/^Service shop\/web: annotation isthmus\.dev/)]);
    expect(said[0]).toContain(message);
  });

  test("each kind of mistake is told once, and what is right counts", () => {
    const list = "No!,west,east,west,x/y,north,east,north";
    expect(targetsOf(list)).toEqual(["west/shop/web", "north/shop/web"]);
    expect(saidOf(list)).toEqual([
      expect.stringContaining("has No!, x/y, which is neither"),
      expect.stringContaining("names east, east, which is this cluster itself"),
      expect.stringContaining("names west, north twice"),
    ]);
  });

  test("are the first 16 of 50, and the message names some of the others", () => {
    const names = Array.from({ length: 50 }, (_, index) => `c${index}`);
    expect(targetsOf(names.join())).toEqual(names.slice(0, 16).map((name) => `${name}/shop/web`));
    const [message = "", ...more] = saidOf(names.join());
    expect(message).toContain("names 50 targets, of which the first 16 are used; remove c16/");
    expect(message).toContain("c20/shop/web and 29 more");
    expect(more).toEqual([]);
  });

  test("of a list that is too long are none, and the message tells how long it may be", () => {
    const list = "west,".repeat(1000);
    expect(targetsOf(list)).toEqual([]);
    expect(saidOf(list).join()).toContain("5000 characters, of which none are read; 4096");
  });
});

describe("mode and delays", () => {
  const failover = { [ANNOTATIONS.failover]: "west" };

  test("are standby, 2 s and 30 s unless told otherwise", () => {
    const { policy, findings } = read(web(failover, { ports: [http] }));
    expect(policy).toMatchObject({
      mode: "standby",
      activateAfterMs: 2000,
      failbackAfterMs: 30_000,
    });
    expect(findings).toEqual([]);
  });

  test("are as the annotations say", () => {
    const annotations = {
      ...failover,
      [ANNOTATIONS.failoverMode]: "active",
      [ANNOTATIONS.failoverActivateAfter]: "500ms",
      [ANNOTATIONS.failoverFailbackAfter]: " 1h ",
    };
    const { policy, findings } = read(web(annotations, { ports: [http] }));
    expect(policy).toMatchObject({
      mode: "active",
      activateAfterMs: 500,
      failbackAfterMs: 3_600_000,
    });
    expect(findings).toEqual([]);
  });

  test.for(["Active", "standby,active", "", "on", "__proto__"])(
    "mode %j is standby, and the message names both modes",
    (mode) => {
      const annotations = { ...failover, [ANNOTATIONS.failoverMode]: mode };
      const { policy, findings } = read(web(annotations, { ports: [http] }));
      expect(policy.mode).toBe("standby");
      expect(findings.map(({ message }) => message)).toEqual([
        expect.stringContaining(`is ${mode}, so standby counts; use standby or active`),
      ]);
    },
  );

  test.for(["", "2", "2 s", "-2s", "1.5s", "2d", "25h", `${"9".repeat(40)}h`, "1".repeat(5000)])(
    "a delay of %j is the default, and the message shows how one is written",
    (delay) => {
      const annotations = {
        ...failover,
        [ANNOTATIONS.failoverActivateAfter]: delay,
        [ANNOTATIONS.failoverFailbackAfter]: delay,
      };
      const { policy, findings } = read(web(annotations, { ports: [http] }));
      expect(policy).toMatchObject({ activateAfterMs: 2000, failbackAfterMs: 30_000 });
      expect(findings.map(({ message }) => message)).toEqual([
        expect.stringContaining("so 2s counts; use a duration such as 30s or 5m, 24h at most."),
        expect.stringContaining("so 30s counts; use a duration such as 30s or 5m, 24h at most."),
      ]);
    },
  );

  test.for([
    ["0s", 0],
    ["24h", 86_400_000],
  ] as const)("a delay of %s is allowed", ([delay, ms]) => {
    const annotations = { ...failover, [ANNOTATIONS.failoverFailbackAfter]: delay };
    expect(read(web(annotations)).policy.failbackAfterMs).toBe(ms);
  });
});

describe("the ports that fail over", () => {
  test("are all of TCP by default", () => {
    const { policy } = read(web({ [ANNOTATIONS.failover]: "west" }));
    expect(policy.ports).toEqual([
      { own: http, theirs: undefined },
      { own: grpc, theirs: undefined },
    ]);
  });

  test.for<[string, [string, string | undefined][]]>([
    ["http", [["http", undefined]]],
    [
      "9000, http",
      [
        ["http", undefined],
        ["grpc", undefined],
      ],
    ],
    [
      "http=web, grpc = 9090",
      [
        ["http", "web"],
        ["grpc", "9090"],
      ],
    ],
    ["http,http=web,80=x", [["http", undefined]]],
    ["http=http", [["http", "http"]]],
  ])("of %j are %j, in the order of the Service", ([list, ports]) => {
    expect(portsOf(list)).toEqual(ports);
  });

  test.for(["admin", "dns", "81", "http=", "http=a=b", "=web", "=", "HTTP", "web=http"])(
    "do not have %j, which is told, and the others count",
    (item) => {
      expect(portsOf(`${item},grpc`)).toEqual([["grpc", undefined]]);
      const annotations = {
        [ANNOTATIONS.failover]: "west",
        [ANNOTATIONS.failoverPorts]: `${item},grpc`,
      };
      const [finding] = read(web(annotations)).findings;
      expect(finding?.reason).toBe(REASONS.FailoverInvalid);
      expect(finding?.message).toContain(`has ${item}, which is no TCP port of the Service; use`);
    },
  );

  const offered: ServicePort[] = [
    { name: "http", port: 8080 },
    { name: "rpc", port: 9000 },
    { name: "old", port: 80 },
  ];
  test.for<[string, Parameters<typeof counterpartOf>[0], number | undefined]>([
    ["by name, whatever the numbers", { own: http, theirs: undefined }, 8080],
    ["by number where no name fits", { own: grpc, theirs: undefined }, 9000],
    ["by the name that is told", { own: http, theirs: "old" }, 80],
    ["by the number that is told", { own: http, theirs: "9000" }, 9000],
    ["with none when what is told is not there", { own: http, theirs: "web" }, undefined],
    ["with none when nothing fits", { own: { name: "x", port: 1 }, theirs: undefined }, undefined],
    ["by number where it has no name", { own: { port: 9000 }, theirs: undefined }, 9000],
  ])("are paired %s", ([, port, number]) => {
    expect(counterpartOf(port, offered)?.port).toBe(number);
  });

  test("without names are paired, as a Service with one port need not name it", () => {
    const own = { port: 80 };
    expect(counterpartOf({ own, theirs: undefined }, [{ port: 8080 }])?.port).toBe(8080);
  });
});

describe("a Service that cannot fail over", () => {
  const ours = {
    labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: "west" },
    managedFields: [{ manager: CONTROLLER_FIELD_MANAGER }],
  };
  test.for<[string, Service["spec"], Partial<ObjectMeta>, string]>([
    ["has a type without endpoints", { type: "ExternalName" }, {}, "use a Service with a Cl"],
    ["is headless", { clusterIP: "None" }, {}, "use a Service with a ClusterIP"],
    ["keeps connections on the node", { internalTrafficPolicy: "Local" }, {}, "use Cluster"],
    ["is a mirror", {}, ours, "annotate a Service of your own"],
  ])("since it %s says so and what to do", ([, spec, metadata, message]) => {
    const service = web({ [ANNOTATIONS.failover]: "west" }, spec, metadata);
    const request = readFailover(service, "east");
    if (request?.kind !== "unsupported") throw new Error(JSON.stringify(request));
    expect(request.finding.reason).toBe(REASONS.FailoverUnsupported);
    expect(request.finding.message).toContain("Service shop/web does not fail over: ");
    expect(request.finding.message).toContain(message);
  });

  test.for<[string, Service["spec"], string]>([
    ["outside clients", { externalTrafficPolicy: "Local" }, "only those from inside fail over"],
    ["pods that are not ready", { publishNotReadyAddresses: true }, "counts every pod as ready"],
    ["ports but TCP", { ports: [http, dns] }, "only TCP fails over, not dns/UDP"],
  ])("for %s alone is told, and fails over", ([, spec, message]) => {
    const service = web({ [ANNOTATIONS.failover]: "west" }, { ports: [http], ...spec });
    const { policy, findings } = read(service);
    expect(policy.targets).toHaveLength(1);
    expect(findings).toEqual([
      { reason: REASONS.FailoverLimited, message: expect.stringContaining(message) },
    ]);
  });
});
