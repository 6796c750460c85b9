import { expect, it } from "vitest";
import { publishedNamespaces, wrongCluster } from "./provider-identity.ts";

const SERVER = "https://west.example:6443";

it.each([
  { name: "one that says the expected name", claimed: "west", mustSayWho: true, wrong: false },
  { name: "one that says another name", claimed: "north", mustSayWho: false, wrong: true },
  { name: "one that says nothing yet", claimed: undefined, mustSayWho: false, wrong: false },
  {
    name: "one that says nothing where the one before did",
    claimed: undefined,
    mustSayWho: true,
    wrong: true,
  },
])(
  "of the clusters behind a kubeconfig, $name is wrong: $wrong",
  ({ claimed, mustSayWho, wrong }) => {
    const problem = wrongCluster(claimed, { expected: "west", mustSayWho }, SERVER);
    expect(problem?.reason).toBe(wrong ? "WrongCluster" : undefined);
  },
);

it("a wrong cluster is named with its server, and shortened if it is too long to be a name", () => {
  const options = { expected: "west", mustSayWho: false };
  const message = wrongCluster("x".repeat(500), options, SERVER)?.message ?? "";
  expect(message).toContain(SERVER);
  expect(message).toMatch(/"x{63}"/);
});

it.each([
  {
    of: "a provider that lists some",
    data: { namespaces: "shop,payments" },
    read: ["payments", "shop"],
  },
  { of: "a provider of before there were lists", data: { clusterName: "west" }, read: undefined },
  { of: "a list that is none", data: { namespaces: "No!" }, read: undefined },
])("of $of these namespaces are read: $read", ({ data, read }) => {
  const identity = { metadata: { name: "isthmus-identity" }, data };
  expect(publishedNamespaces(identity)).toEqual(read);
});
