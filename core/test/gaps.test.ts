import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(fileURLToPath(new URL(path, ROOT)), "utf8");

const rows = read("test/GAPS.md")
  .split("\n")
  .filter((line) => /^\| 8\.\d/.test(line))
  .map((line) => {
    const [gap = "", promise = "", file = "", test = ""] = line.slice(2, -2).split(" | ");
    return { gap, promise, file, test };
  });

const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** A test of that name that is not switched off. */
function declares(source: string, name: string): boolean {
  if (/^test_/.test(name)) return new RegExp(`^\\s*def ${quoted(name)}\\b`, "m").test(source);
  return new RegExp(
    `\\b(?:it|test|describe)(?:\\.each[^\\n]*)?\\(\\s*["'\`]${quoted(name)}["'\`]`,
  ).test(source);
}

describe("DESIGN 8: every gap that we close has tests that hold it closed", () => {
  it("names all twelve", () => {
    const gaps = new Set(rows.map(({ gap }) => gap));
    expect([...gaps]).toEqual(Array.from({ length: 12 }, (_, i) => `8.${i + 1}`));
  });

  it.each(rows)("$gap $promise", ({ file, test }) => {
    expect(test).not.toBe("");
    expect(declares(read(file), test), `${file} has a test "${test}"`).toBe(true);
  });

  it("would notice a test that is gone or skipped", () => {
    expect(declares('it.skip("a name", () => undefined)', "a name")).toBe(false);
    expect(declares('it("another name", () => undefined)', "a name")).toBe(false);
    expect(declares('it("a name", () => undefined)', "a name")).toBe(true);
  });
});
