import { stringify } from "yaml";
import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import { DATASOURCE, panelsOf } from "./panel.ts";
import { DECISION_ROWS } from "./decision-rows.ts";
import { PROCESS_ROWS } from "./process-rows.ts";
import { TRAFFIC_ROWS } from "./traffic-rows.ts";

const DASHBOARD_KEY = "isthmus.json";

/** The dashboard, as Grafana imports it. */
function dashboard(): object {
  return {
    uid: "isthmus",
    title: "Isthmus",
    description: "Links, mirrors, failover and gateways of one or several clusters.",
    tags: ["isthmus"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    timezone: "browser",
    templating: {
      list: [
        {
          name: "datasource",
          label: "Prometheus",
          type: "datasource",
          query: "prometheus",
          current: {},
        },
        variable("cluster", "Cluster", "isthmus_gateway_draining"),
        variable("link", "Link", 'isthmus_link_condition{cluster=~"$cluster"}'),
      ],
    },
    annotations: { list: [] },
    panels: panelsOf([...DECISION_ROWS, ...TRAFFIC_ROWS, ...PROCESS_ROWS]),
  };
}

/** A choice among the values of a label, all of them at first; `.*` also stands for series without it. */
function variable(name: string, label: string, metric: string): object {
  const query = `label_values(${metric}, ${name})`;
  return {
    name,
    label,
    type: "query",
    datasource: DATASOURCE,
    definition: query,
    query: { query, refId: name },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: ".*",
    current: { text: ["All"], value: ["$__all"] },
  };
}

/** The ConfigMap with the dashboard, labelled as Grafana's sidecar looks for it. */
export function dashboardConfigMap(): string {
  const head = "# Generated from cmd/generate/dashboard/ by npm run generate: edits are lost.\n";
  const object = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: "isthmus-dashboard",
      namespace: INSTALL_NAMESPACE,
      labels: { "app.kubernetes.io/part-of": "isthmus", grafana_dashboard: "1" },
    },
    data: { [DASHBOARD_KEY]: `${JSON.stringify(dashboard(), undefined, 1)}\n` },
  };
  return head + stringify(object, { lineWidth: 0, blockQuote: "literal" });
}
