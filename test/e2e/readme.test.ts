import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { useTestDatabase } from "../support/test-database.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);
const database = useTestDatabase();

test("the README shows its example files as they are", async () => {
  await run(process.execPath, ["scripts/fill-readme.mjs", "--check"], { cwd: root });
});

test("the README's command runs the README's workflow", async () => {
  const readme = await readFile(`${root}README.md`, "utf8");
  const command = readme.match(/```sh\nnpx tasker (run [\s\S]*?)```/)?.[1] ?? "";
  const words = command.replaceAll("\\\n", " ").match(/'[^']*'|\S+/g) ?? [];
  const args = words.map((word) => word.replace(/^'|'$/g, ""));
  const { stdout } = await run(
    process.execPath,
    [
      "--conditions=@tasker-core/source",
      "--import",
      "tsx",
      "core/src/cli/main.ts",
      ...args,
      "--json",
    ],
    { cwd: root, env: { ...process.env, DATABASE_URL: database.url } },
  );
  expect(stdout).toContain("Hello, Ada! (8 letters)");
}, 60_000);
