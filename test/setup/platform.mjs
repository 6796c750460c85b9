// What a machine must have. Plain JavaScript: it runs on whatever Node started it.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

/**
 * @typedef {object} Needs
 * @property {boolean} root The command makes network namespaces and may install Debian packages.
 * @property {boolean} go The command may have to build Kubernetes.
 */

/** @type {(command: string, args: string[]) => string} */
function output(command, args) {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}

/** Whether the first version found in a text is at least the wanted one. */
/** @type {(text: string, wantedMajor: number, wantedMinor?: number) => boolean} */
function isAtLeast(text, wantedMajor, wantedMinor = 0) {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(text) ?? [];
  return (
    Number(major) > wantedMajor || (Number(major) === wantedMajor && Number(minor) >= wantedMinor)
  );
}

/**
 * What this machine lacks for a command, each with what to do about it; empty when nothing is missing.
 * @type {(needs: Needs) => string[]}
 */
export function missingFromPlatform(needs) {
  const missing = [];
  if (process.platform !== "linux" || process.arch !== "x64") {
    missing.push(
      `Linux on x86-64; this is ${process.platform} on ${process.arch}: use a Debian machine or virtual machine`,
    );
  }
  if (!isAtLeast(process.versions.node, 20)) {
    missing.push(
      `Node 20 or newer; this is ${process.versions.node}: install it from Debian or nodejs.org`,
    );
  }
  const npm = output("npm", ["--version"]);
  if (!isAtLeast(npm, 10)) {
    missing.push(
      `npm 10 or newer; ${npm ? `this is ${npm.trim()}` : "there is none"}: npm install --global npm`,
    );
  }
  if (!needs.root && !needs.go) return missing;
  if (!existsSync("/usr/bin/apt-get")) {
    missing.push(
      "Debian or a relative of it with apt-get: the packages the test bed needs are named as Debian names them",
    );
  }
  const go = output("go", ["version"]);
  if (needs.go && !isAtLeast(go, 1, 26)) {
    const found = go ? `this is ${go.trim()}` : "there is none in the PATH";
    missing.push(
      `Go 1.26 or newer; ${found}: install it from go.dev/dl and put its bin folder into the PATH`,
    );
  }
  if (needs.root && process.getuid?.() !== 0) {
    missing.push(
      "root, to make network namespaces and to start containerd: run the command with sudo or as root",
    );
  }
  return missing;
}
