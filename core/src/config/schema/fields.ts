import { z } from "zod";
import { Secret } from "../../lib/secret.js";

/**
 * The kinds of values a configuration has. Each knows its default and says in one phrase what it expects;
 * the loader turns the phrase into "expected `key` to be <phrase>, got <value>".
 */

export function integer(min: number, max: number, value: number) {
  const error = `an integer from ${min} to ${max}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error }).default(value);
}

export function decimal(min: number, max: number, value: number) {
  const error = `a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error }).default(value);
}

export function text(value: string) {
  return z.string({ error: "text" }).default(value);
}

export function flag(value: boolean) {
  return z.boolean({ error: "true or false" }).default(value);
}

export function choice<const Choices extends readonly [string, ...string[]]>(
  choices: Choices,
  value: Choices[number],
) {
  return z.enum(choices, { error: `one of ${choices.join(", ")}` }).default(value as never);
}

export function textList(value: readonly string[] = []) {
  const error = "a list of texts";
  return z.array(z.string({ error }), { error }).default([...value]);
}

/** Text that no log, dump or response may show. */
export function secret(value: string) {
  return z
    .string({ error: "text" })
    .prefault(value)
    .transform((content) => new Secret(content));
}

/** `host:port`; an IPv6 host is written in brackets. */
export function address(value: string) {
  const error = "an address such as 127.0.0.1:8080";
  return z
    .string({ error })
    .regex(/^(?:\[[0-9A-Fa-f:.%]+\]|[^\s:[\]]+):\d{1,5}$/, { error })
    .default(value);
}

/** A table whose keys all have defaults; absent altogether, it is its defaults. */
export function table<Shape extends z.ZodRawShape>(shape: Shape) {
  const object = z.strictObject(shape, { error: tableError });
  return object.prefault({} as z.input<typeof object>);
}

function tableError(issue: { code?: string | undefined }): string | undefined {
  return issue.code === "invalid_type" ? "a table" : undefined;
}
