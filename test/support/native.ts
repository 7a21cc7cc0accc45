import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Why native tests cannot run here, printed once; null when they can. */
export function nativeObstacle(tools: readonly ("cc" | "cargo")[] = ["cc"]): string | null {
  const missing = tools.find((tool) => spawnSync(tool, ["--version"]).status !== 0);
  const why =
    missing !== undefined ? `there is no \`${missing}\`` : hasKoffi() ? null : "koffi is missing";
  if (why !== null) process.stderr.write(`native tests are skipped: ${why}\n`);
  return why;
}

function hasKoffi(): boolean {
  try {
    createRequire(import.meta.url)("koffi");
    return true;
  } catch {
    return false;
  }
}

/** Libraries built for one test file, in a folder of their own. */
export class NativeBuilds {
  readonly #folder = mkdtempSync(join(tmpdir(), "tasker-native-"));
  #count = 0;

  /** Builds a C file of the repository into a shared library. @throws with the compiler's words */
  c(source: string, flags: readonly string[] = []): string {
    this.#count += 1;
    const out = join(this.#folder, `lib${this.#count}.so`);
    const strict = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"];
    const shared = ["-shared", "-fPIC", "-fvisibility=hidden"];
    const include = ["bindings/abi/include", "examples/native-c"].flatMap((path) => ["-I", path]);
    execFileSync("cc", [...strict, ...shared, ...include, ...flags, source, "-o", out], {
      cwd: ROOT,
      stdio: "pipe",
    });
    return out;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
