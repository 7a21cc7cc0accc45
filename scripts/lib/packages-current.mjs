// Exit code 0 when node_modules holds what package-lock.json says. npm keeps its own record of what it installed.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = process.argv[2] ?? ".";

try {
  const wanted = packagesOf("package-lock.json");
  const installed = packagesOf("node_modules/.package-lock.json");
  const isCurrent = Object.entries(wanted).every(([path, { version, optional }]) => {
    // Workspaces are links; packages for other platforms are optional and absent.
    if (!path.startsWith("node_modules/")) return true;
    const found = installed[path];
    return found === undefined ? optional === true : found.version === version;
  });
  process.exitCode = isCurrent ? 0 : 1;
} catch (error) {
  if (error.code !== "ENOENT") throw error;
  process.exitCode = 1;
}

function packagesOf(file) {
  return JSON.parse(readFileSync(join(root, file), "utf8")).packages;
}
