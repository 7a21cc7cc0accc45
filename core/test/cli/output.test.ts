import { describe, expect, it } from "vitest";
import { describeError } from "../../src/cli/describe-error.js";
import { Output } from "../../src/cli/output.js";
import { DatabaseError, PeerError, StateError } from "../../src/errors/index.js";
import { parseJson } from "../../src/lib/parse-json.js";

class Recorder {
  text = "";
  listeners: ((error: Error) => void)[] = [];
  write(text: string): void {
    this.text += text;
  }
  on(_: "error", listener: (error: Error) => void): void {
    this.listeners.push(listener);
  }
}

function open(isJson: boolean, env: Record<string, string> = {}) {
  const stdout = new Recorder();
  const stderr = new Recorder();
  return { stdout, stderr, output: new Output({ stdout, stderr, env, isJson }) };
}

describe("Output", () => {
  it("prints for people or for machines, never both", () => {
    const text = open(false);
    text.output.print("hello");
    text.output.json({ hello: 1 });
    expect(text.stdout.text).toBe("hello\n");

    const json = open(true);
    json.output.print("hello");
    json.output.json({ id: 5n, at: new Date(0), kept: parseJson("[1.0, 9007199254740993]") });
    expect(json.stdout.text).toBe(
      '{"id":"5","at":"1970-01-01T00:00:00.000Z","kept":[1.0,9007199254740993]}\n',
    );
  });

  it("shows an error as one message on stderr, or as an object on stdout, a stack only when debugging", () => {
    const error = new StateError("TASK_NOT_FOUND", "There is no task x", {
      context: { taskUuid: "x" },
    });
    const text = open(false);
    text.output.error(describeError(error), error);
    expect(text.stderr.text).toBe("tasker: There is no task x [TASK_NOT_FOUND]\n");

    const json = open(true);
    json.output.error(describeError(error), error);
    expect(JSON.parse(json.stdout.text)).toEqual({
      error: { code: "TASK_NOT_FOUND", message: "There is no task x", task_uuid: "x" },
    });
    expect(json.stderr.text).toBe("");

    const debugging = open(false, { TASKER_DEBUG: "1" });
    debugging.output.error(describeError(error), error);
    expect(debugging.stderr.text).toMatch(/\n\s+at /);
  });

  it("goes on in silence when its reader has gone", () => {
    const { output, stdout } = open(false);
    for (const listener of stdout.listeners) listener(new Error("EPIPE"));
    output.print("nobody reads this");
    expect(stdout.text).toBe("");
  });
});

describe("describeError", () => {
  const connect = (code: string) =>
    Object.assign(new Error(`connect ${code} 127.0.0.1:5432`), { code, syscall: "connect" });
  const refused = (code: string) =>
    Object.assign(new Error("refused"), { code, severity: "FATAL" });

  it.each([
    ["a request that cannot be used", new StateError("TASK_REQUEST_INVALID", "x"), 2],
    ["a task that does not exist", new StateError("TASK_NOT_FOUND", "x"), 1],
    ["a schema that is too old", new DatabaseError("SCHEMA_TOO_OLD", "x"), 3],
    ["an interpreter that is missing", new PeerError("INTERPRETER_NOT_FOUND", "x"), 3],
    ["a server that is not there", connect("ECONNREFUSED"), 3],
    [
      "a server at two addresses that is not there",
      new AggregateError([connect("ECONNREFUSED")]),
      3,
    ],
    ["a wrong password", refused("28P01"), 3],
    ["a database that does not exist", refused("3D000"), 3],
    ["an error in a statement", refused("42601"), 70],
    [
      "a file that is not there",
      Object.assign(new Error("open"), { code: "ENOENT", syscall: "open" }),
      70,
    ],
    ["something thrown that is no error", "boom", 70],
  ])("%s", (_, error, exitCode) => {
    expect(describeError(error).exitCode).toBe(exitCode);
  });
});
