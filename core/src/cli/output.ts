import { stringifyJson } from "../lib/json-number.js";
import type { DescribedError } from "./describe-error.js";
import { createPalette, type Palette, wantsColour } from "./terminal.js";

/** The part of a stream that commands print to. */
export interface OutputStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export interface OutputOptions {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isJson: boolean;
}

/**
 * What a command prints: its answer on stdout, everything else on stderr. With `--json` stdout has exactly one JSON
 * document per answer. A reader that went away (`| head`) is no error: the rest is not printed.
 */
export class Output {
  readonly isJson: boolean;
  readonly palette: Palette;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly #isDebugging: boolean;
  readonly #broken = new Set<OutputStream>();

  constructor(options: OutputOptions) {
    this.isJson = options.isJson;
    this.stdout = options.stdout;
    this.stderr = options.stderr;
    this.#isDebugging = options.env["TASKER_DEBUG"] === "1";
    this.palette = createPalette(!options.isJson && wantsColour(options.stdout, options.env));
    for (const stream of [options.stdout, options.stderr]) {
      stream.on("error", () => this.#broken.add(stream));
    }
  }

  /** Text for people; nothing in JSON mode. */
  print(text: string): void {
    if (!this.isJson) this.#write(this.stdout, `${text}\n`);
  }

  /** An answer that is a document of its own in either mode, such as a graph or a result. */
  raw(text: string): void {
    this.#write(this.stdout, text);
  }

  /** The answer for machines; nothing in text mode. Numbers keep their source text. */
  json(value: unknown): void {
    if (this.isJson) this.#write(this.stdout, `${stringifyJson(plain(value))}\n`);
  }

  note(text: string): void {
    this.#write(this.stderr, `${text}\n`);
  }

  /** One that prints nothing, for a part of a command whose answer comes later. */
  muted(): Output {
    const silent = { write: () => true, on: () => undefined };
    return new Output({ stdout: silent, stderr: silent, env: {}, isJson: false });
  }

  error(described: DescribedError, cause: unknown): void {
    const { code, message, details } = described;
    if (this.isJson) this.json({ error: { ...plainDetails(details), code, message } });
    else this.note(`tasker: ${message} [${code}]`);
    if (this.#isDebugging && cause instanceof Error) this.note(cause.stack ?? "");
  }

  #write(stream: OutputStream, text: string): void {
    if (!this.#broken.has(stream)) stream.write(text);
  }
}

/** Dates and 64-bit ids as texts. */
function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (
    typeof value === "object" &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype
  ) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
  }
  return value;
}

/** Only what JSON can hold, with keys as everywhere in the answers: context of an error may have anything. */
function plainDetails(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const held = JSON.parse(JSON.stringify(plain(details))) as Record<string, unknown>;
  const snakeCase = (key: string): string =>
    key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(held).map(([key, value]) => [snakeCase(key), value]));
}
