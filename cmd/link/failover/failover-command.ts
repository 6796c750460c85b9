import { Command, Option } from "commander";
import { ANNOTATIONS } from "../../../api/names.ts";
import { openCluster } from "../cluster-access.ts";
import { addExamples, type Example } from "../examples.ts";
import { addClusterFlags, addNamespaceFlag, parseService } from "../flags.ts";
import { formatReport, outputFlag, type OutputFormat } from "../output.ts";
import type { Runtime } from "../runtime.ts";
import { readFailovers } from "./failover.ts";
import { formatFailover } from "./failover-table.ts";

interface Flags {
  context?: string;
  kubeconfig?: string;
  namespace?: string;
  output: OutputFormat;
}

const STATES = `
States:
  standby      own endpoints are ready, and a healthy target stands by
  unprotected  own endpoints are ready, and no target is healthy
  activating   mode active: no own endpoint is ready; the target takes over unless that ends soon
  active       no own endpoint is ready: connections go to the target
  returning    own endpoints are ready again, and the target still takes a part
  closed       no own endpoint is ready and no target is healthy: connections are refused
  unsupported  a Service of this kind cannot fail over

The state is what the objects amount to now. SINCE is known only where the
controller recorded the same state.`;

const JSON_SHAPE = `
With -o json or yaml:
  {services: [{namespace, name, mode?, state, reason, message, since?, ownReady, target?,
     targets: [{target, link, role, healthy, reason, message, ports: [{name, egressPort}]}],
     findings: [{reason, message}]}]}
  mode        standby or active; absent for a Service that cannot fail over
  since       RFC 3339; absent when unknown
  ownReady    whether an endpoint of the Service's own is ready
  target      CLUSTER/NAMESPACE/NAME where its failover slices lead; absent when there are none
  role        active: connections go there; standby: the slices lead there; or -
  healthy     whether connections would arrive: its Link is Ready and its mirror open
  egressPort  port of the egress gateways that the Service's port goes to
  findings    what is wrong with annotations and targets; reasons: docs/conditions.md`;

const EXAMPLES: readonly Example[] = [
  ["link failover --context east", "All Services of east that ask for failover"],
  ["link failover svc/web -n shop", "One Service, with all of its targets"],
  [
    `link failover -o json | jq '.services[] | select(.state != "standby")'`,
    "Those that are not simply standing by",
  ],
];

/** `link failover`. */
export function failoverCommand(runtime: Runtime): Command {
  const command = new Command("failover")
    .summary("show which Services fail over, where to and why")
    .description(
      `Shows each Service with annotation ${ANNOTATIONS.failover}: its state, the target that connections go to or that stands by, since when, and why; below, the targets of each Service that is not in state standby, or has something to mend. All of it is read from the EndpointSlices, mirrors and Links as they are now. Without -n the Services of all namespaces.`,
    )
    .argument("[svc/NAME]", "only this Service, with all of its targets", parseService);
  addNamespaceFlag(command, "only Services of this namespace; default: of all").addOption(
    new Option("-A, --all-namespaces", "Services of all namespaces, as without -n").conflicts(
      "namespace",
    ),
  );
  addClusterFlags(command, "context of the cluster; default: the current one")
    .addOption(outputFlag())
    .addHelpText("after", [STATES, JSON_SHAPE].join("\n"))
    .action(async (name: string | undefined, flags: Flags) => {
      const access = openCluster(flags);
      const { namespace } = flags;
      try {
        const report = await readFailovers({ access, namespace, name, signal: runtime.signal });
        const { clock, useColor } = runtime;
        const options = { nowMs: clock.nowMs(), useColor, details: name !== undefined, namespace };
        const toTable = () => formatFailover(report, options);
        runtime.write(formatReport(report, flags.output, toTable));
      } finally {
        await access.client.close();
      }
    });
  return addExamples(command, EXAMPLES);
}
