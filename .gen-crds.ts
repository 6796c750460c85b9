import { writeFileSync } from "node:fs"; import { stringify } from "yaml";
import { linkDefinition, peerDefinition } from "./api/crd.ts";
for (const d of [linkDefinition(), peerDefinition()]) writeFileSync(`manifests/base/crds/${d.metadata.name}.yaml`, stringify(d,{lineWidth:100, aliasDuplicateObjects:false}));
