import { installTests } from "./install.ts";
import { uninstallTests } from "./uninstall.ts";
import { upgradeTests } from "./upgrade.ts";

// Each begins with a cluster in which nothing of ours is: the last one may leave something.
uninstallTests();
installTests();
upgradeTests();
