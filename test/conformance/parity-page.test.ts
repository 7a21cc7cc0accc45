import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parityPage, readBehaviours } from "./behaviours/table.js";

it("docs/reference/parity.md says what the table says", () => {
  const page = readFileSync(new URL("../../docs/reference/parity.md", import.meta.url), "utf8");
  expect(page, "run scripts/parity-page.ts").toBe(parityPage(readBehaviours()));
});

it("every difference has a reason, and is one", () => {
  for (const { name, expect: common, differs = {} } of readBehaviours().behaviours) {
    for (const difference of Object.values(differs)) {
      expect(difference.reason.length, name).toBeGreaterThan(10);
      expect(difference.expect, name).not.toEqual(common);
    }
  }
});
