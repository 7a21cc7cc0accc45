// Prints a hash over everything that the build reads.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const SOURCES = ["package-lock.json", "tsconfig.base.json"].concat(
  ["core", "sdk-ts"].flatMap((name) =>
    ["package.json", "tsconfig.json", "tsup.config.ts", "src"].map((file) => `${name}/${file}`),
  ),
);
const root = process.argv[2] ?? ".";
const hash = createHash("sha256");
for (const file of SOURCES.flatMap(filesOf).sort()) {
  hash.update(`${file}\0`).update(readFileSync(join(root, file)));
}
console.log(hash.digest("hex"));

function filesOf(path) {
  try {
    const entries = readdirSync(join(root, path), { withFileTypes: true });
    return entries.flatMap((entry) => filesOf(`${path}/${entry.name}`));
  } catch (error) {
    if (error.code === "ENOTDIR") return [path];
    throw error;
  }
}
