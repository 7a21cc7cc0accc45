import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { formatDiagnostic, parseTemplate } from "../../src/templates/index.js";

/** A corpus of templates with one mistake each; bad-templates.test.ts has those with many. */
const corpus: readonly { name: string; text: string; message: string }[] = JSON.parse(
  readFileSync(new URL("./broken-templates.json", import.meta.url), "utf8"),
);

test.each(corpus)("$name: one message, with its place", ({ text, message }) => {
  const { template, diagnostics } = parseTemplate(text, "t.yaml");
  expect(diagnostics.map(formatDiagnostic)).toEqual([message]);
  expect(template).toBeNull();
  expect(message).toMatch(/^t\.yaml:\d+:\d+: error: ./);
});

test("the corpus has more than sixty mistakes, each another", () => {
  expect(new Set(corpus.map(({ text }) => text)).size).toBe(corpus.length);
  expect(new Set(corpus.map(({ name }) => name)).size).toBe(corpus.length);
  expect(corpus.length).toBeGreaterThanOrEqual(60);
});
