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

/**
 * The example library in Rust, built if need be; a text says why it cannot be, printed once. Its dependencies come from
 * the registry at the first build.
 */
export function rustLibrary(): { readonly path: string } | string {
  const obstacle = nativeObstacle(["cargo", "cc"]);
  if (obstacle !== null) return obstacle;
  const target = join(ROOT, ".tasker", "cargo");
  const built = spawnSync("cargo", ["build", "--release", "--locked", "--quiet"], {
    cwd: join(ROOT, "examples", "native-rust"),
    env: { ...process.env, CARGO_TARGET_DIR: target },
    encoding: "utf8",
  });
  const name = { darwin: "libnative_rust_example.dylib", win32: "native_rust_example.dll" };
  const file = name[process.platform as keyof typeof name] ?? "libnative_rust_example.so";
  if (built.status === 0) return { path: join(target, "release", file) };
  // Without the registry there is nothing to test; whatever else is wrong is for the test to show.
  if (!/crates\.io|registry|download|resolve host/i.test(built.stderr))
    throw new Error(built.stderr);
  const why = "the dependencies of the Rust crate cannot be downloaded";
  process.stderr.write(`native tests are skipped: ${why}\n`);
  return why;
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
