import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { nativeObstacle } from "../../test/support/native.js";

const ROOT = new URL("../../", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "tasker-memory-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hasCompiler = nativeObstacle() === null;
const has = {
  address: hasCompiler && sanitizes("address,undefined"),
  thread: hasCompiler && sanitizes("thread"),
  valgrind: hasCompiler && spawnSync("valgrind", ["--version"]).status === 0,
};
for (const [tool, isThere] of Object.entries(has)) {
  if (!isThere) process.stderr.write(`runs under ${tool} are skipped: it does not work here\n`);
}

/** The example libraries, driven as the host drives them: no leak, no race, nothing read or written out of bounds. */
describe.each([
  ["full", ["-DFULL"]],
  ["simple", []],
])("the %s example in C", (form, flags) => {
  const program = (name: string, ...more: string[]): string => {
    const out = join(folder, `${form}-${name}`);
    const sources = ["bindings/test/fixtures/drive.c", `examples/native-c/${form}.c`];
    const include = ["-I", "bindings/abi/include", "-I", "examples/native-c"];
    const args = ["-std=c11", "-g", "-O1", "-pthread", ...include, ...flags, ...more, ...sources];
    execFileSync("cc", [...args, "-o", out], { cwd: ROOT, stdio: "pipe" });
    return out;
  };
  const run = (command: string, args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
    expect({ status, stderr: stderr.slice(0, 4000) }).toMatchObject({ status: 0 });
    expect(stdout).toMatch(/ answered| executed/);
  };

  test.runIf(has.address)("is clean under AddressSanitizer", () => {
    run(program("asan", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"), ["20000"]);
  });

  test.runIf(has.thread)("is clean under ThreadSanitizer", () => {
    run(program("tsan", "-fsanitize=thread"), ["20000"]);
  });

  test.runIf(has.valgrind)(
    "is clean under valgrind",
    () => {
      const checks = [
        "--leak-check=full",
        "--errors-for-leak-kinds=definite",
        "--error-exitcode=9",
      ];
      run("valgrind", ["--quiet", ...checks, program("plain"), "500"]);
    },
    60_000,
  );
});

/** Does a program built like this start? Some kernels let no thread sanitizer run. */
function sanitizes(kind: string): boolean {
  const [source, out] = [join(folder, "probe.c"), join(folder, `probe-${kind}`)];
  writeFileSync(source, "int main(void) { return 0; }\n");
  const built = spawnSync("cc", [`-fsanitize=${kind}`, source, "-o", out]);
  return built.status === 0 && spawnSync(out).status === 0;
}
