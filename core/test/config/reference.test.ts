import { expect, it } from "vitest";
import { configKeys } from "../../src/config/index.js";
import { KEY_NOTES } from "../../src/config/key-notes.js";
import { configReference } from "../../src/config/reference.js";

it("docs/reference/config.md is what the schema says", async () => {
  await expect(configReference()).toMatchFileSnapshot("../../../docs/reference/config.md");
});

it("notes are about keys that exist", () => {
  const paths = new Set(configKeys().map(({ path }) => path));
  expect(Object.keys(KEY_NOTES).filter((path) => !paths.has(path))).toEqual([]);
});

it("every key says what it accepts, and no secret shows its default", () => {
  const keys = configKeys();
  expect(keys.length).toBeGreaterThan(200);
  expect(keys.filter(({ accepts }) => /undefined/.test(accepts))).toEqual([]);
  const secrets = keys.filter(({ isSecret }) => isSecret);
  expect(secrets.map(({ path }) => path)).toContain("common.database.url");
  expect(secrets.every((key) => key.default === null)).toBe(true);
});
