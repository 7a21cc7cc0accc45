import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readHandlerFlags } from "../../src/cli/handler-flags.js";
import { readInputs } from "../../src/cli/read-inputs.js";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "tasker-cli-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const read = (input: string, parts: { each?: boolean; stdin?: string } = {}) =>
  readInputs(
    { input, each: parts.each ?? false },
    { workingDirectory: root, stdin: Readable.from([Buffer.from(parts.stdin ?? "")]) },
  );

describe("readInputs", () => {
  it("takes JSON as it is written, from the command line, a file or stdin", async () => {
    await writeFile(join(root, "in.json"), '{ "n": 1.0 }');
    expect(await read('{"n": 1.0}')).toEqual(['{"n": 1.0}']);
    expect(await read("@in.json")).toEqual(['{ "n": 1.0 }']);
    expect(await read("-", { stdin: '{"n": "ü"}' })).toEqual(['{"n": "ü"}']);
    expect(await read('{"constructor": 1}')).toEqual(['{"constructor": 1}']);
  });

  it("splits an array with --each, numbers as they were", async () => {
    expect(await read('[{"n": 1.0}, {"n": 9007199254740993}]', { each: true })).toEqual([
      '{"n":1.0}',
      '{"n":9007199254740993}',
    ]);
  });

  it.each([
    ["{x", {}, /the value of --input is not JSON: unexpected "x" at offset 1/],
    ["@none.json", {}, /none\.json cannot be read/],
    ["7", {}, /must be a JSON object/],
    ["1.0", {}, /must be a JSON object/],
    ["[{}]", {}, /add --each/],
    ["{}", { each: true }, /is not an array/],
    ["[]", { each: true }, /empty array/],
    ["[{}, 3]", { each: true }, /element 1 of the value of --input must be/],
    ["-", { stdin: "" }, /the input on stdin is not JSON/],
  ])("refuses %s", async (input, parts, message) => {
    await expect(read(input, parts)).rejects.toThrow(message);
  });
});

describe("readHandlerFlags", () => {
  const none = { handlers: [], ts: [], python: [], ruby: [] };
  const files = async (...names: string[]): Promise<void> => {
    for (const name of names) {
      await mkdir(join(root, name, ".."), { recursive: true });
      await writeFile(join(root, name), "");
    }
  };

  it("gives a folder to the languages of its files", async () => {
    await files("mixed/a.ts", "mixed/sub/b.py", "mixed/node_modules/x/c.rb", "mixed/.venv/d.rb");
    expect(await readHandlerFlags({ ...none, handlers: ["mixed"] }, root)).toEqual({
      typescript: [join(root, "mixed")],
      python: [join(root, "mixed")],
      ruby: [],
    });
  });

  it("hands out subfolders that are named after languages", async () => {
    await files("h/typescript/a.ts", "h/ruby/b_handler.rb");
    expect(await readHandlerFlags({ ...none, handlers: ["h"], ts: ["more.ts"] }, root)).toEqual({
      typescript: ["more.ts", join(root, "h/typescript")],
      python: [],
      ruby: [join(root, "h/ruby")],
    });
  });

  it("refuses a path without any handler file", async () => {
    await files("empty/readme.md");
    for (const path of ["empty", "missing", "empty/readme.md"]) {
      await expect(readHandlerFlags({ ...none, handlers: [path] }, root)).rejects.toThrow(
        `--handlers ${path}: there is no TypeScript, Python or Ruby file`,
      );
    }
  });
});
