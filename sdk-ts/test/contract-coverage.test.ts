import { expect, it } from "vitest";
import { lines } from "./contract-coverage.js";

it("has every name of the contract, and a test that uses it", async () => {
  const found = await lines();
  expect(found.length).toBeGreaterThan(150);
  expect(found.filter(({ problems, reason }) => reason === null && problems.length > 0)).toEqual(
    [],
  );
});
