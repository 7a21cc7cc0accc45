import { nearestName } from "../lib/nearest-name.js";
import type { Diagnostic, Severity } from "./diagnostics.js";

/** Default: everything is enforced. `tasker-core`: values that existing templates lean on are let through. */
export type TemplateProfile = "default" | "tasker-core";
export type UnknownKeys = "ignore" | "warn" | "error";

export interface TemplateOptions {
  readonly profile?: TemplateProfile;
  /** Default `warn`, or `ignore` under the compatibility profile. `validate --strict` passes `error`. */
  readonly unknownKeys?: UnknownKeys;
}

/** A broken file of 10 000 steps should not print 10 000 lines. */
const MAX_DIAGNOSTICS = 500;

/** Finding the nearest of 10 000 names is slow; the first problems get a suggestion, a flood does not. */
const MAX_SUGGESTIONS = 50;

/** Collects everything that is wrong with one file, in the order found. */
export class ReadContext {
  readonly diagnostics: Diagnostic[] = [];
  readonly isCompatible: boolean;
  readonly unknownKeys: UnknownKeys;
  readonly #file: string;
  #suggestions = 0;
  readonly #position: (offset: number) => { line: number; column: number };

  constructor(
    file: string,
    position: (offset: number) => { line: number; column: number },
    options: TemplateOptions,
  ) {
    this.#file = file;
    this.#position = position;
    this.isCompatible = options.profile === "tasker-core";
    this.unknownKeys = options.unknownKeys ?? (this.isCompatible ? "ignore" : "warn");
  }

  /** `did you mean ...?` for a misspelt name, or null when nothing is close. */
  suggest(name: string, candidates: Iterable<string>): string | null {
    if (this.#suggestions >= MAX_SUGGESTIONS) return null;
    this.#suggestions += 1;
    const near = nearestName(name, candidates);
    return near === null ? null : `did you mean \`${near}\`?`;
  }

  error(offset: number, path: string, message: string, hint: string | null = null): void {
    this.#add("error", offset, path, message, hint);
  }

  warning(offset: number, path: string, message: string, hint: string | null = null): void {
    this.#add("warning", offset, path, message, hint);
  }

  /** A value beyond what the contract declares: an error, but accepted under the compatibility profile. */
  beyondDeclared(offset: number, path: string, message: string, hint: string | null = null): void {
    if (!this.isCompatible) this.#add("error", offset, path, message, hint);
  }

  unknownKey(offset: number, path: string, message: string, hint: string | null): void {
    if (this.unknownKeys === "ignore") return;
    this.#add(this.unknownKeys === "error" ? "error" : "warning", offset, path, message, hint);
  }

  #add(
    severity: Severity,
    offset: number,
    path: string,
    message: string,
    hint: string | null,
  ): void {
    if (this.diagnostics.length > MAX_DIAGNOSTICS) return;
    const place = { file: this.#file, ...this.#position(offset) };
    this.diagnostics.push(
      this.diagnostics.length < MAX_DIAGNOSTICS
        ? { severity, ...place, path, message, hint }
        : {
            severity: "error",
            ...place,
            path,
            message: "too many problems; the rest is not listed",
            hint: null,
          },
    );
  }
}
