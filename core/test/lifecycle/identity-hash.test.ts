import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { RuntimeTemplate } from "../../src/lifecycle/runtime-template.js";
import { JsonText, newTask, type TaskRequest } from "../../src/lifecycle/task-request.js";

type Strategy = RuntimeTemplate["identityStrategy"];

function hash(strategy: Strategy, context: string, over: Partial<TaskRequest> = {}): string {
  const template = { templateId: 1, namespace: "ns", name: "task", version: "1.0.0" };
  const request = {
    namespace: "ns",
    name: "task",
    version: "1.0.0",
    context: new JsonText(context),
  };
  return newTask({ ...request, ...over }, {
    ...template,
    identityStrategy: strategy,
    inputCheck: null,
  } as RuntimeTemplate).identityHash;
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

describe("DESIGN 8.11: which requests are the same task", () => {
  it("strict: SHA-256 over canonical JSON, whatever the order of keys and the spaces", () => {
    const one = hash("strict", '{"b": 1, "a": {"d": [1, 2], "c": null}}');
    expect(one).toBe(sha256('context\nns/task/1.0.0\n{"a":{"c":null,"d":[1,2]},"b":1}'));
    expect(hash("strict", '{ "a":{"c":null,"d":[1,2]}, "b":1 }')).toBe(one);
    for (const other of ['{"b":2,"a":{"d":[1,2],"c":null}}', '{"b":1,"a":{"d":[2,1],"c":null}}']) {
      expect(hash("strict", other)).not.toBe(one);
    }
  });

  it("a key decides under every strategy; caller_provided refuses to go without", () => {
    for (const strategy of ["strict", "caller_provided", "always_unique"] as const) {
      expect(hash(strategy, '{"a":1}', { idempotencyKey: "k" })).toBe(
        sha256("key\nns/task/1.0.0\nk"),
      );
    }
    expect(() => hash("caller_provided", "{}")).toThrow(/idempotency_key/);
  });

  it("always_unique: every request is its own, but one that is delivered twice", () => {
    expect(hash("always_unique", "{}")).not.toBe(hash("always_unique", "{}"));
    const again = { requestId: "r-1" };
    expect(hash("always_unique", "{}", again)).toBe(hash("always_unique", "{}", again));
    expect(hash("always_unique", "{}", again)).not.toBe(
      hash("always_unique", "{}", { requestId: "r-2" }),
    );
  });
});
