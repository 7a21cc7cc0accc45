import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { Secret } from "../../src/lib/secret.js";

describe("Secret", () => {
  it("shows its value only when asked", () => {
    const secret = new Secret("hunter2");
    const printed = [
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }, { depth: 5, showHidden: true }),
      JSON.stringify(Object.entries(secret)),
    ];
    for (const text of printed) expect(text).not.toContain("hunter2");
    expect(secret.reveal()).toBe("hunter2");
    expect(new Secret("").isEmpty).toBe(true);
    expect(secret.isEmpty).toBe(false);
  });
});
