import { CONFIG_MAP_NAME, IDENTITY_CONFIG_MAP_NAME } from "../../../api/names.ts";
import type { ConfigMap, KubeObject, Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { parseCertificate } from "../../../pki/certificate.ts";
import type { KnownSecrets } from "./known-secrets.ts";

const PRIVATE_KEY =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;
/** RFC 7519: two parts of JSON in base64url, which begin with `{"`, and a signature. */
const JSON_WEB_TOKEN = /eyJ[\w-]{8,}\.[\w-]{8,}(\.[\w-]*)?/g;
const BEARER = /(bearer\s+)[\w.~+/=-]{8,}/gi;
const URL_PASSWORD = /(:\/\/[^\s/:@]+:)[^\s/@]+@/g;
/** As YAML, JSON (also within a text), flags and environments have them. */
const NAMED_VALUE =
  /(\b(?:token|password|passwd|client-key-data|client-certificate-data|secretkey|api[-_]?key|private[-_]?key)\\?["']?[ \t]*[:=][ \t]*\\?["']?)(?!\[)[^\s"',;\\]{8,}/gi;
/** Of a join token, which is 32 bytes in base64url. */
const JOIN_SECRET = /(\bsecret\\?["']?[ \t]*[:=][ \t]*\\?["']?)[\w-]{40,}/gi;

const MARK = "[redacted]";
const NOT_OURS = "[left out: not of Isthmus]";

/** ConfigMaps that are ours; of others only the keys are told. */
const OWN_CONFIG_MAPS: ReadonlySet<string> = new Set([CONFIG_MAP_NAME, IDENTITY_CONFIG_MAP_NAME]);

const OWN_ANNOTATION = /^(isthmus\.dev\/|deployment\.kubernetes\.io\/revision$)/;
/** Variables that our Deployments set to what is no secret. */
const OWN_VARIABLES: ReadonlySet<string> = new Set([
  "CLUSTER_NAME",
  "POD_NAME",
  "LOG_LEVEL",
  "CA_OVERLAP_SECONDS",
]);

/**
 * Takes what must not leave a cluster out of what is gathered there: the values of its Secrets by their content, and
 * whatever has the form of a token, a key or a password. Certificates, which are public, become what they say.
 */
export class Redactor {
  readonly #secrets: KnownSecrets;

  constructor(secrets: KnownSecrets) {
    this.#secrets = secrets;
  }

  /** Any text: a log, metrics, a report. */
  text(text: string): string {
    const formless = text
      .replaceAll(PRIVATE_KEY, MARK)
      .replaceAll(CERTIFICATE, describeCertificate)
      .replaceAll(JSON_WEB_TOKEN, MARK)
      .replaceAll(BEARER, `$1${MARK}`)
      .replaceAll(URL_PASSWORD, `$1${MARK}@`)
      .replaceAll(NAMED_VALUE, `$1${MARK}`)
      .replaceAll(JOIN_SECRET, `$1${MARK}`);
    return this.#secrets.scrub(formless);
  }

  /** An object as it is written to the archive: of a Secret its keys and how long each value is. */
  object(object: KubeObject): unknown {
    const { metadata, kind } = object;
    const shown = { ...object, metadata: shownMetadata(metadata) };
    if (kind === RESOURCES.secrets.kind) return this.#strings(secretOutline(shown));
    if (kind === RESOURCES.configMaps.kind && !OWN_CONFIG_MAPS.has(metadata.name)) {
      return this.#strings({ ...shown, ...withoutValues(shown) });
    }
    return this.#strings(shown);
  }

  /** Every text in it, however deep. */
  #strings(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (Array.isArray(value)) return value.map((item) => this.#strings(item));
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(isForeignVariable(value) ? hidden(value) : value);
    return Object.fromEntries(entries.map(([key, item]) => [key, this.#strings(item)]));
  }
}

function shownMetadata({
  managedFields,
  annotations,
  ...metadata
}: KubeObject["metadata"]): KubeObject["metadata"] {
  return {
    ...metadata,
    ...(annotations !== undefined && {
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([key, value]) => [
          key,
          OWN_ANNOTATION.test(key) && key !== LAST_APPLIED ? value : NOT_OURS,
        ]),
      ),
    }),
    // Who writes it matters, which fields does not.
    ...(managedFields !== undefined && {
      managedFields: managedFields.map(({ fieldsV1: _fields, ...entry }) => entry),
    }),
  };
}

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

function secretOutline(secret: Secret) {
  const { apiVersion, kind, metadata, type, data = {} } = secret;
  const bytes = Object.fromEntries(
    Object.entries(data).map(([key, value]) => [
      key,
      `${Buffer.byteLength(value, "base64")} bytes`,
    ]),
  );
  return { apiVersion, kind, metadata, type, keys: bytes };
}

function withoutValues({ data }: ConfigMap): Pick<ConfigMap, "data"> & { binaryData?: undefined } {
  const keys = Object.keys(data ?? {});
  return { data: Object.fromEntries(keys.map((key) => [key, NOT_OURS])), binaryData: undefined };
}

/** An environment variable of a container with a value of its own, set by somebody else. */
function isForeignVariable(value: object): value is { name: string; value: string } {
  return (
    "name" in value &&
    "value" in value &&
    typeof value.name === "string" &&
    typeof value.value === "string" &&
    Object.keys(value).length === 2 &&
    !OWN_VARIABLES.has(value.name)
  );
}

function hidden(variable: { name: string; value: string }): object {
  return { ...variable, value: NOT_OURS };
}

function describeCertificate(pem: string): string {
  try {
    const { subject, uriSans, notBeforeMs, notAfterMs, fingerprint } = parseCertificate(pem);
    const names = uriSans.length === 0 ? "" : `, names ${uriSans.join(" ")}`;
    const times = [notBeforeMs, notAfterMs].map((ms) => new Date(ms).toISOString());
    return `[certificate: subject ${subject}${names}, valid from ${times.join(" to ")}, SHA-256 ${fingerprint}]\n`;
  } catch {
    return "[certificate that cannot be read here]";
  }
}
