import { describe, expect, it } from "vitest";
import { formatDuration } from "../../src/cli/render/duration.js";
import { LiveBlock } from "../../src/cli/render/live-block.js";
import { prettyJson } from "../../src/cli/render/pretty-json.js";
import { renderTable } from "../../src/cli/render/table.js";
import { wantsColour } from "../../src/cli/terminal.js";
import { parseJson } from "../../src/lib/parse-json.js";

describe("formatDuration", () => {
  it.each([
    [0.4, "0 ms"],
    [999.4, "999 ms"],
    [1000, "1.0 s"],
    [59_949, "59.9 s"],
    [59_950, "1 m 00 s"],
    [3_599_000, "59 m 59 s"],
    [3_600_000, "1 h 00 m"],
    [-5, "0 ms"],
  ])("%d ms is %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe("renderTable", () => {
  it("aligns columns and leaves no space at the ends of lines", () => {
    expect(
      renderTable([
        ["A", "LONG", "C"],
        ["bb", "x", ""],
      ]),
    ).toEqual(["A   LONG  C", "bb  x"]);
  });
});

describe("prettyJson", () => {
  it("keeps the source text of numbers", () => {
    const text = '{"a":[1.0,9007199254740993],"b":{},"c":[],"d":"x\\u001b"}';
    expect(prettyJson(parseJson(text))).toBe(
      '{\n  "a": [\n    1.0,\n    9007199254740993\n  ],\n  "b": {},\n  "c": [],\n  "d": "x\\u001b"\n}',
    );
  });
});

describe("wantsColour", () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: "1" }, false],
    [true, { NO_COLOR: "" }, true],
    [true, { TERM: "dumb" }, false],
    [false, { FORCE_COLOR: "1" }, true],
    [false, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
  ])("terminal %s with %o: %s", (isTTY, env, expected) => {
    expect(wantsColour({ isTTY }, env)).toBe(expected);
  });
});

/** What a terminal shows after text with the two sequences that the block uses. */
function screenOf(written: string): string[] {
  const lines = [""];
  let cursor = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is tested
  for (const part of written.split(/(\n|\u001b\[\d+A|\u001b\[0J)/)) {
    const up = /\[(\d+)A/.exec(part);
    if (up !== null) cursor -= Number(up[1]);
    else if (part.endsWith("[0J")) lines.length = cursor;
    else if (part === "\n") cursor += 1;
    else if (part !== "") lines[cursor] = part;
  }
  return lines;
}
describe("LiveBlock", () => {
  it("redraws in place, lets others print above, and stays as it was last", () => {
    let written = "";
    const stream = {
      write: (text: string) => {
        written += text;
      },
      on: () => undefined,
    };
    const block = new LiveBlock(stream);
    block.draw(["title", "a running", "b pending"]);
    block.around(() => stream.write("a log line\n"));
    block.draw(["title", "a complete"]);
    expect(screenOf(written).filter((line) => line !== "")).toEqual([
      "a log line",
      "title",
      "a complete",
    ]);
  });

  it("writes nothing when nothing has changed", () => {
    const writes: string[] = [];
    const block = new LiveBlock({ write: (text) => writes.push(text), on: () => undefined });
    block.draw(["same"]);
    block.draw(["same"]);
    expect(writes).toEqual(["same\n"]);
  });
});
