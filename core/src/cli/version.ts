import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The version of this package, whether it runs from sources or from the build. */
export function packageVersion(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const found = readManifest(join(directory, "package.json"));
    if (found?.name === "@tasker-core/core") return found.version;
    const parent = dirname(directory);
    if (parent === directory) return "unknown";
    directory = parent;
  }
}

function readManifest(file: string): { name: string; version: string } | null {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as { name: string; version: string };
  } catch {
    return null; // most folders on the way up have none
  }
}
