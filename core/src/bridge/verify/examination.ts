import { NotMetError, NotOfferedError } from "./broken-rule.js";
import { Conversation, type Patience } from "./conversation.js";
import type { RuleId } from "./rules.js";
import { type Lane, Subject, type SubjectOptions } from "./subject.js";

/** How one rule is checked. Resolves when it holds. */
export interface Check {
  readonly rule: RuleId;
  /** Default `fd`. */
  readonly lane?: Lane;
  /** Conformance handlers that a program may leave out; without them the rule is not checked. */
  readonly needs?: readonly string[];
  run(exam: Examination): Promise<void>;
}

/** One check's access to the program: a process of its own, which is gone when the check is over. */
export class Examination {
  readonly patience: Patience;
  readonly #options: SubjectOptions;
  readonly #lane: Lane;
  readonly #needs: readonly string[];
  #subject: Subject | null = null;

  constructor(options: SubjectOptions, patience: Patience, { lane = "fd", needs = [] }: Check) {
    this.#options = options;
    this.patience = patience;
    this.#lane = lane;
    this.#needs = needs;
  }

  get subject(): Subject {
    if (this.#subject === null) throw new Error("Nothing was started");
    return this.#subject;
  }

  /** Starts the program, and goes no further. */
  async open(): Promise<Conversation> {
    this.#subject ??= await Subject.start(this.#options, this.#lane);
    const channel = await this.#subject.channel(this.patience.answerMs);
    return new Conversation(channel, this.#subject, this.patience);
  }

  /**
   * Starts the program and welcomes it.
   * @throws NotOfferedError when it lacks a handler that the check needs
   */
  async start(): Promise<Conversation> {
    const host = await (await this.open()).greet();
    const names = callables(host.manifest);
    const missing = this.#needs.filter((name) => !names.has(name));
    if (missing.length > 0) throw new NotOfferedError(`no handler ${missing.join(", ")}`);
    return host;
  }

  async end(): Promise<void> {
    await this.#subject?.end();
  }
}

/** The names of the handlers that `hello` lists. */
export function callables(manifest: unknown): Set<string> {
  if (!Array.isArray(manifest)) throw new NotMetError("The body of `hello` is not a list");
  return new Set(
    manifest.flatMap((entry: { callable?: unknown } | null) =>
      typeof entry?.callable === "string" ? [entry.callable] : [],
    ),
  );
}

/** @throws NotMetError when it is not so */
export function ensure(isSo: boolean, complaint: string): asserts isSo {
  if (!isSo) throw new NotMetError(complaint);
}
