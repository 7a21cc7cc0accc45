import { describe, expect, it } from "vitest";
import { readWakeMessage } from "../../src/event-systems/wake-message.js";

describe("readWakeMessage", () => {
  it.each([
    ["task_cancelled:7,9007199254740993", "task_cancelled"],
    ["lease_lost:7,9007199254740993", "lease_lost"],
  ])("reads the steps of %s", (payload, kind) => {
    expect(readWakeMessage(payload)).toEqual({ kind, stepIds: [7n, 9007199254740993n] });
  });

  it.each([
    "",
    "news_of_a_later_version:1",
    "task_cancelled:",
    "task_cancelled:1,",
    "lease_lost:x",
  ])("takes `%s` for a wake-up", (payload) => {
    expect(readWakeMessage(payload)).toEqual({ kind: "wake" });
  });
});
