import { beforeAll, describe, expect, test } from "vitest";
import { createAuthority, type CertificateAndKey } from "../../../pki/authority.ts";
import type { Secret } from "../../../api/objects.ts";
import { KnownSecrets } from "./known-secrets.ts";
import { Redactor } from "./redact.ts";

const TOKEN = `eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJlMTIz`;
const OPAQUE = "Zx81Qq7Lp0Vt5Rk2Jm9Wc4Ns6Bd3Hf";

function secret(values: Record<string, string>): Secret {
  const data = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  );
  return { metadata: { name: "s", namespace: "isthmus-system" }, data };
}

function redactor(values: Record<string, string> = {}): Redactor {
  return new Redactor(new KnownSecrets([secret(values)]));
}

describe("what is in a Secret", () => {
  const known = redactor({
    password: "correct horse battery",
    kubeconfig: `users:\n- user:\n    extra: ${OPAQUE}\nserver: https://10.0.0.1:6443\n`,
    host: "https://10.0.0.1:6443",
    consumer: "east",
  });
  const base64 = Buffer.from("correct horse battery").toString("base64");

  test.each([
    ["as it is", "login with correct horse battery failed", "correct horse"],
    ["in base64", `data: ${base64}`, base64],
    ["in a piece of base64", `…${base64.slice(5, 20)}…`, base64.slice(5, 20)],
    ["in a text of several lines", `got ${OPAQUE}!`, OPAQUE],
    ["in a piece of 12 characters", `x${OPAQUE.slice(7, 19)}x`, OPAQUE.slice(7, 19)],
    ["at the very end", `x ${OPAQUE.slice(0, 13)}`, OPAQUE.slice(0, 13)],
  ])("is found %s", (_name, text, leak) => {
    expect(known.text(text)).not.toContain(leak);
  });

  test("is found at every place and in every length from 12 on", () => {
    for (let from = 0; from < OPAQUE.length - 12; from += 1) {
      for (let shift = 0; shift < 6; shift += 1) {
        const piece = OPAQUE.slice(from, from + 12);
        expect(known.text(`${"-".repeat(shift)}${piece} `)).not.toContain(piece);
      }
    }
  });

  test("and is no secret stays: URLs, names, what is short", () => {
    const text = "the server of east is https://10.0.0.1:6443; users: 2";
    expect(known.text(text)).toBe(text);
  });
});

describe("what has the form of a secret", () => {
  test.each([
    ["a ServiceAccount's token", `sent ${TOKEN} to`],
    ["a token without its end", `sent ${TOKEN.slice(0, 60)}`],
    ["a bearer header", "authorization: Bearer abcdefgh12345678"],
    ["a password in a URL", "https://admin:abcdefgh12345678@10.0.0.1"],
    ["a token in YAML", "    token: abcdefgh12345678\n"],
    ["a token in JSON in a text", String.raw`"{\"token\":\"abcdefgh12345678\"}"`],
    ["a client's key", "client-key-data: abcdefgh12345678"],
    ["the secret of a join token", `secret: ${"abcdefgh12345678".repeat(3)}`],
    ["a private key", "-----BEGIN PRIVATE KEY-----\nabcdefgh12345678\n-----END PRIVATE KEY-----"],
    ["a private key that is cut off", "-----BEGIN EC PRIVATE KEY-----\nabcdefgh12345678"],
  ])("%s", (_name, text) => {
    const redacted = redactor().text(text);
    expect(redacted).not.toMatch(/abcdefgh12345678|eyJhbGciOi/);
    expect(redacted).toContain("[redacted]");
  });

  test.each([
    "volumes:\n- name: leaf\n  secret:\n    secretName: isthmus-gateway-tls",
    'isthmus_link_token_expiry_timestamp_seconds{link="west"} 1795300000',
    "the token in Secret isthmus-link-west expired",
  ])("is not %s", (text) => {
    expect(redactor().text(text)).toBe(text);
  });
});

describe("certificates and objects", () => {
  let authority: CertificateAndKey;

  beforeAll(async () => {
    authority = await createAuthority({ clusterName: "west", nowMs: Date.UTC(2026, 0, 1) });
  });

  test("become what they say, also where a Secret holds them", () => {
    const { certificatePem, privateKeyPem } = authority;
    const known = redactor({ "tls.crt": certificatePem, "tls.key": privateKeyPem });
    const text = known.text(`trustBundle: ${certificatePem}`);
    expect(text).toMatch(/trustBundle: \[certificate: subject .*west.*, valid from 20/);
    expect(text).not.toContain("BEGIN");
    expect(known.text(privateKeyPem)).toBe("[redacted]\n");
  });

  test("of a Secret keep its keys and lengths", () => {
    const object = { kind: "Secret", ...secret({ password: "hunter2hunter2" }) };
    expect(redactor().object(object)).toMatchObject({ keys: { password: "14 bytes" } });
    expect(JSON.stringify(redactor().object(object))).not.toMatch(/hunter2|aHVudGVy/);
  });

  test("lose annotations and variables that are not ours, and ConfigMaps of others their values", () => {
    const annotations = {
      "isthmus.dev/export": "true",
      "kubectl.kubernetes.io/last-applied-configuration": '{"pw":"in-clear"}',
      note: "in-clear",
    };
    const env = [
      { name: "CLUSTER_NAME", value: "west" },
      { name: "DB", value: "in-clear" },
    ];
    const spec = { template: { spec: { containers: [{ name: "gateway", env }] } } };
    const deployment = { kind: "Deployment", metadata: { name: "d", annotations }, spec };
    const data = { x: "in-clear" };
    const configMap = { kind: "ConfigMap", metadata: { name: "other" }, data };
    const shown = JSON.stringify([redactor().object(deployment), redactor().object(configMap)]);
    expect(shown).not.toContain("in-clear");
    expect(shown).toContain('"isthmus.dev/export":"true"');
    expect(shown).toContain('{"name":"CLUSTER_NAME","value":"west"}');
  });
});
