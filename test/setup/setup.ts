// Set-up of the machine, run by bootstrap.mjs before every command that needs the test bed; quick when all is there.
import { buildMissing } from "./build.ts";
import { installPackages, UnsupportedError } from "./packages.ts";
import { pauseImage } from "./pause-image.ts";

const unsupportedCode = 2;

try {
  installPackages({ forBench: process.argv.includes("bench") });
  await buildMissing(process.stdout);
  await pauseImage();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof UnsupportedError ? unsupportedCode : 1;
}
