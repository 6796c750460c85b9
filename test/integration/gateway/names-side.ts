import { GatewayNames } from "../../../gateway/egress/gateway-names.ts";
import { createLogger } from "../../../kube/logger.ts";

/**
 * A process that follows a DNS name by the resolver of the machine it finds
 * itself on, and sends the addresses whenever something was answered or failed.
 */
const [name = ""] = process.argv.slice(2);
const names = new GatewayNames({
  names: { intervalMs: 100 },
  random: Math.random,
  logger: createLogger({ name: "names", level: "fatal" }),
  isUp: () => true,
  onChange: () => {
    const addresses = names.addresses.map(({ host }) => host).toSorted();
    process.send?.({ addresses, failed: names.failure !== undefined });
  },
});
names.set([{ host: name, port: 443 }]);
process.once("disconnect", () => names.stop());
