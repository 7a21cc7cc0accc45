import { z } from "zod";
import { flag, integer, table, text, textList } from "./fields.js";

/** A program and its arguments; a single text is a program without arguments. */
function command(value: readonly [string, ...string[]]) {
  const error = "a program, or a list of a program and its arguments";
  return z
    .union(
      [
        z.string().transform((program) => [program]),
        z.array(z.string({ error })).min(1, { error }),
      ],
      { error },
    )
    .default([...value]);
}

function processes(program: string) {
  return table({
    command: command([program]),
    /** Files and folders with handlers. Empty: no process of this language is started. */
    handlers: textList(),
    processes: integer(1, 256, 1),
    /** Handlers that one process runs at the same time. */
    slots: integer(1, 10_000, 64),
    /** Steps sent ahead of a free slot: helps very short handlers, makes deadlines less exact. */
    prefetch: integer(0, 10_000, 0),
  });
}

/** Handler processes that were started elsewhere and come in over a socket (BRIDGE section 2). */
const join = table({
  /** `unix:/path` or `tcp:host:port`. Empty: nobody can join. */
  addresses: textList(),
  /** What such a process has to know. Made at the first start when it is missing. */
  token_file: text(".tasker/bridge-token"),
  /** Certificate and key, PEM: needed for an address that other machines reach. */
  tls_cert_file: text(""),
  tls_key_file: text(""),
  max_processes: integer(1, 10_000, 256),
  handshake_timeout_ms: integer(100, 60_000, 5000),
  /** How long a broken connection may come back with what it holds. */
  resume_ms: integer(0, 600_000, 5000),
  /** Silent for three of these: no new work. Silent for six: the connection is lost. */
  ping_ms: integer(50, 60_000, 5000),
  cancel_grace_ms: integer(0, 600_000, 5000),
  drain_grace_ms: integer(0, 600_000, 25_000),
});

const nameError = { error: "a name of letters, digits, `_`, `.` and `-`" };

/** A library that exports the C ABI. Only what is named here is ever loaded. */
const library = z.strictObject(
  {
    /** Unique: names its pool, and the library in messages. */
    name: z.string(nameError).regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, nameError),
    /** Absolute. */
    path: z.string({ error: "an absolute path" }),
    /** Of the file. Empty: whatever is there is loaded. */
    sha256: z
      .string({ error: "text" })
      .regex(/^([0-9A-Fa-f]{64})?$/, { error: "64 hex digits, or nothing" })
      .default(""),
    /** Steps that it runs at once: in each process where it is isolated. */
    slots: integer(1, 1024, 2),
    /** Runs it in helper processes: a crash then costs one of those. */
    isolated: flag(false),
    /** Helper processes; without `isolated` there is none. */
    processes: integer(1, 256, 1),
    /** What a simple library without a manifest runs. */
    callables: textList(),
    /** For a full library's `open`. */
    settings: z.record(z.string(), z.string({ error: "text" }), { error: "a table" }).default({}),
  },
  { error: "a table" },
);

/** Where each language's handlers are and how many run at once. */
export const handlerLanguages = {
  typescript: table({
    handlers: textList(),
    max_concurrent: integer(1, 10_000, 100),
  }),
  python: processes("python3"),
  ruby: processes("ruby"),
  native: z.array(library, { error: "a list of tables: [[worker.native]]" }).default([]),
  join,
};
