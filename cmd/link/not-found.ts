import { type Resource, RESOURCES } from "../../api/resources.ts";
import { CliError } from "./cli-error.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { listAll } from "./list-all.ts";
import { didYouMean } from "./suggest.ts";

/** Names the Link that is not there, with the one that was meant or those there are. */
export function linkNotFound(
  { contextName }: ClusterAccess,
  name: string,
  known: readonly string[],
): CliError {
  const list = known.length === 0 ? undefined : `one of: ${known.join(", ")}`;
  return new CliError(`context ${contextName}: Link ${name} does not exist`, {
    fix: didYouMean(name, known) ?? list ?? `link join PROVIDER --context ${contextName}`,
  });
}

/**
 * Makes sure that a namespace in which nothing was found is there at all.
 * @throws CliError with the one that was meant when it is not; nothing when that cannot be told.
 */
export async function requireNamespace(
  access: ClusterAccess,
  namespace: string,
  signal: AbortSignal,
): Promise<void> {
  const known = await namesOf(access, RESOURCES.namespaces, { signal });
  const names = known.map(({ name }) => name);
  if (names.length === 0 || names.includes(namespace)) return;
  throw new CliError(`context ${access.contextName}: there is no namespace ${namespace}`, {
    fix: didYouMean(namespace, names) ?? `kubectl --context ${access.contextName} get namespaces`,
  });
}

/** A Service by its name, in one namespace or, without, in any. */
interface ServiceName {
  namespace?: string | undefined;
  name: string;
}

/**
 * Names the Service that is not there, with the one that was meant: of its
 * namespace, else of the same name in another, else the namespace itself.
 */
export async function serviceNotFound(
  access: ClusterAccess,
  service: ServiceName,
  signal: AbortSignal,
): Promise<CliError> {
  const { contextName } = access;
  const { namespace, name } = service;
  const what =
    namespace === undefined
      ? `no namespace has a Service ${name}`
      : `Service ${namespace}/${name} does not exist`;
  const look = `look for it: kubectl --context ${contextName} get services --all-namespaces`;
  return new CliError(`context ${contextName}: ${what}`, {
    fix: (await guess(access, service, signal)) ?? look,
  });
}

async function guess(
  access: ClusterAccess,
  { namespace, name }: ServiceName,
  signal: AbortSignal,
): Promise<string | undefined> {
  const services = await namesOf(access, RESOURCES.services, {
    ...(namespace !== undefined && { namespace }),
    signal,
  });
  const similar = didYouMean(
    name,
    services.map((each) => each.name),
  );
  if (similar !== undefined || namespace === undefined) return similar;
  const query = { fieldSelector: `metadata.name=${name}`, signal };
  const [first, ...others] = (await namesOf(access, RESOURCES.services, query)).map(
    (each) => each.namespace,
  );
  if (first !== undefined) {
    return others.length === 0
      ? `did you mean the one in ${first}? give -n ${first}`
      : `namespaces that have it: ${[first, ...others].join(", ")}; give one with -n`;
  }
  const all = await namesOf(access, RESOURCES.namespaces, { signal });
  const namespaces = all.map((each) => each.name);
  if (namespaces.length === 0 || namespaces.includes(namespace)) return undefined;
  const question = didYouMean(namespace, namespaces) ?? "name another with -n";
  return `there is no namespace ${namespace}; ${question}`;
}

/** A guess is not worth an error of its own: who may not list gets none. */
async function namesOf(
  access: ClusterAccess,
  resource: Resource,
  query: { namespace?: string; fieldSelector?: string; signal: AbortSignal },
): Promise<{ namespace: string; name: string }[]> {
  try {
    const objects = await listAll(access, resource, query);
    return objects
      .map(({ metadata: { namespace = "", name } }) => ({ namespace, name }))
      .toSorted((a, b) => (a.namespace < b.namespace ? -1 : 1));
  } catch {
    query.signal.throwIfAborted();
    return [];
  }
}
