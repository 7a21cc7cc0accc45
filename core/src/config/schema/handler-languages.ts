import { z } from "zod";
import { integer, table, textList } from "./fields.js";

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

/** Where each language's handlers are and how many run at once. */
export const handlerLanguages = {
  typescript: table({
    handlers: textList(),
    max_concurrent: integer(1, 10_000, 100),
  }),
  python: processes("python3"),
  ruby: processes("ruby"),
};
