// The build step: writes build-info.json, which every run then finds beside the code.
//
// A real integration would install its dependencies and compile here. Nothing in the file depends
// on the time or the machine, so the same code always gives the same release.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";

const files = {};
for (const name of readdirSync("src").sort()) {
  files[name] = createHash("sha256").update(readFileSync(`src/${name}`)).digest("hex");
}

writeFileSync("build-info.json", JSON.stringify({ node: process.version, files }, null, 2) + "\n");
console.log(`built ${Object.keys(files).length} files with node ${process.version}`);
