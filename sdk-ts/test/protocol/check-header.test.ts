import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { checkHeaderText } from "../../src/protocol/check-header.js";

interface HeaderVector {
  name: string;
  to: "host" | "handler" | "both";
  text: string;
  expect: string;
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../test/conformance/bridge/headers.json", import.meta.url), "utf8"),
) as HeaderVector[];

describe("headers.json", () => {
  it.each(vectors)("$name", (vector) => {
    const receivers = vector.to === "both" ? (["host", "handler"] as const) : [vector.to];
    for (const receiver of receivers) {
      expect(checkHeaderText(vector.text, receiver).fault?.code ?? "ok").toBe(vector.expect);
    }
  });
});

describe("nested faults", () => {
  it("name the path", () => {
    const text = '{"type":"beat","deliveries":[{"id":"a"},{"id":7}]}';
    expect(checkHeaderText(text, "host").fault?.detail).toContain("`deliveries[1].id`");
  });
});

describe("generated files", () => {
  it("are what the schemas say", () => {
    const root = fileURLToPath(new URL("../../../", import.meta.url));
    execFileSync(process.execPath, ["scripts/generate-protocol.mjs", "--check"], { cwd: root });
  });
});
