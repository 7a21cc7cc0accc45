import type { Duplex } from "node:stream";
import {
  buildChallenge,
  buildWelcome,
  type ChallengeHeader,
  encodeFrame,
  type HandlerHeader,
  type HelloHeader,
  type HostHeader,
  handlerProof,
  type WelcomeHeader,
} from "@tasker-core/sdk/protocol";
import { NotMetError } from "./broken-rule.js";
import { buildStep, type StepOptions } from "./steps.js";
import type { Exit, Subject } from "./subject.js";
import { isTerminal, type Received, type Terminal, Traffic } from "./traffic.js";

/** Small, so that going over it is cheap. */
export const MAX_FRAME = 1024 * 1024;
const HANDSHAKE_MS = 5000;
const RESUME_MS = 5000;

export interface Patience {
  /** How long an answer may take that comes at once from a healthy program. */
  readonly answerMs: number;
  /** How long to watch for what must not come. */
  readonly quietMs: number;
}

export interface WelcomeOptions {
  readonly keep?: readonly string[];
  readonly drop?: readonly string[];
  /** What follows in the same write. */
  readonly behind?: Uint8Array;
  readonly proof?: string;
}

type Of<Type extends HandlerHeader["type"]> = Extract<HandlerHeader, { type: Type }>;

/** The host's side of one connection, in the hands of a check. Acknowledges every answer. */
export class Conversation {
  readonly traffic: Traffic;
  readonly patience: Patience;
  challenge: ChallengeHeader;
  readonly #channel: Duplex;
  readonly #subject: Subject;
  #hello: Received<HelloHeader> | null = null;
  #acknowledged = 0;

  constructor(channel: Duplex, subject: Subject, patience: Patience) {
    this.#channel = channel;
    this.#subject = subject;
    this.patience = patience;
    this.traffic = new Traffic(channel);
    this.challenge = buildChallenge({
      hostId: "tasker-bridge-verify",
      auth: subject.token === null ? "none" : "hmac",
      maxFrame: MAX_FRAME,
    });
    void subject.exited.then(() => this.traffic.wake());
  }

  get hello(): HelloHeader {
    if (this.#hello === null) throw new Error("No hello yet");
    return this.#hello.header;
  }

  get manifest(): unknown {
    return this.#hello === null ? null : JSON.parse(this.#hello.body.toString());
  }

  /** Pool of the conformance handlers: the first. */
  get pool(): { readonly name: string; readonly slots: number } {
    return this.hello.pools[0] ?? { name: "default", slots: 1 };
  }

  // Sending

  send(header: HostHeader | Readonly<Record<string, unknown>>, body?: Uint8Array): void {
    this.write(frameBytes(header, body));
  }

  write(bytes: Uint8Array): void {
    if (this.#channel.writable) this.#channel.write(bytes);
  }

  /** Dispatches a step; returns its delivery id. */
  step(callable: string, context = "{}", options: Partial<StepOptions> = {}): string {
    const { header, body } = this.prepare(callable, context, options);
    this.send(header, body);
    return header.delivery_id;
  }

  /** A step to be sent by hand: its answer is expected from now on. */
  prepare(callable: string, context = "{}", options: Partial<StepOptions> = {}) {
    const step = buildStep({ callable, context, pool: this.pool.name, ...options });
    this.traffic.expectAnswer(step.header.delivery_id);
    return step;
  }

  /** As a host that died. */
  hangUp(): void {
    this.#channel.destroy();
  }

  // The handshake

  /** @throws NotMetError when `hello` does not come */
  async receiveHello(): Promise<HelloHeader> {
    const hello = await this.message("hello", HANDSHAKE_MS);
    this.#hello = hello;
    return hello.header;
  }

  /** Accepts the program. */
  welcome({ behind = new Uint8Array(0), proof, ...held }: WelcomeOptions = {}): WelcomeHeader {
    const isSocket = this.#subject.token !== null;
    const built = buildWelcome(this.challenge, this.hello, this.#subject.token, {
      connection_id: "verify-1",
      ping_ms: 5000,
      lease_ms: 30_000,
      resume_ms: isSocket ? RESUME_MS : 0,
      ...(isSocket ? { keep: [...(held.keep ?? [])], drop: [...(held.drop ?? [])] } : {}),
    });
    const welcome = proof === undefined ? built : { ...built, proof };
    this.traffic.maxFrame = welcome.max_frame;
    this.write(Buffer.concat([frameBytes(welcome), behind]));
    return welcome;
  }

  async greet(): Promise<this> {
    this.send(this.challenge);
    await this.receiveHello();
    this.welcome();
    return this;
  }

  /** What `hello` would prove itself with, or null without a token. */
  get expectedProof(): string | null {
    const { token } = this.#subject;
    return token === null
      ? null
      : handlerProof(token, this.challenge.nonce, this.hello.nonce ?? "");
  }

  // Receiving

  /** Waits for something to become so; a rule broken meanwhile ends the wait. */
  async until<Found>(
    what: string,
    find: () => Found | null | undefined | false,
    withinMs = this.patience.answerMs,
  ): Promise<Found> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const { changed } = this.traffic;
      this.#acknowledge();
      if (this.traffic.fault !== null) throw this.traffic.fault;
      const found = find();
      if (found !== null && found !== undefined && found !== false) return found;
      const leftMs = deadline - performance.now();
      const isOver = this.traffic.hasEnded && this.#subject.exit !== null;
      if (leftMs <= 0 || isOver) {
        const when = isOver ? "" : ` within ${withinMs} ms`;
        throw new NotMetError(`Expected ${what}${when}${this.#subject.explanation}`);
      }
      await soon(changed, leftMs);
    }
  }

  async message<Type extends HandlerHeader["type"]>(
    type: Type,
    withinMs?: number,
    isIt: (header: Of<Type>) => boolean = () => true,
  ): Promise<Received<Of<Type>>> {
    const find = () =>
      this.traffic.messages.find(
        ({ header }) => header.type === type && isIt(header as Of<Type>),
      ) as Received<Of<Type>> | undefined;
    return await this.until(`\`${type}\``, find, withinMs);
  }

  /** The terminal message of a delivery. */
  async answer(deliveryId: string, withinMs?: number): Promise<Received<Terminal>> {
    return await this.until(
      "the terminal message of a step",
      () => this.answered(deliveryId),
      withinMs,
    );
  }

  answered(deliveryId: string): Received<Terminal> | undefined {
    return this.traffic.messages.find(
      ({ header }) => isTerminal(header) && header.delivery_id === deliveryId,
    ) as Received<Terminal> | undefined;
  }

  /** The value of a step that succeeds. */
  async value(deliveryId: string, withinMs?: number): Promise<Buffer> {
    const { header, body } = await this.answer(deliveryId, withinMs);
    if (header.type === "result") return body.subarray(0, header.split);
    const why = header.type === "error" ? `${header.kind}: ${header.message}` : "it yielded";
    throw new NotMetError(`Expected a \`result\`, got \`${header.type}\` (${why})`);
  }

  /** Runs a step to its end. */
  async run(callable: string, context = "{}"): Promise<Buffer> {
    return await this.value(this.step(callable, context));
  }

  /** A conversation that still works: an echo comes back. */
  async alive(after: string): Promise<void> {
    try {
      await this.run("reference.echo", '{"alive":true}');
    } catch (error) {
      if (!(error instanceof NotMetError)) throw error;
      throw new NotMetError(`After ${after} the connection is dead: ${error.message}`);
    }
  }

  /** Watches for a moment, so that what must not come has had its time. */
  async quiet(): Promise<void> {
    const end = performance.now() + this.patience.quietMs;
    while (performance.now() < end) {
      if (this.traffic.fault !== null) throw this.traffic.fault;
      this.#acknowledge();
      await soon(this.traffic.changed, end - performance.now());
    }
  }

  async exit(withinMs = this.patience.answerMs): Promise<Exit> {
    return await this.until("the process to end", () => this.#subject.exit, withinMs);
  }

  #acknowledge(): void {
    const { messages } = this.traffic;
    const fresh = messages.slice(this.#acknowledged);
    this.#acknowledged = messages.length;
    for (const { header } of fresh) {
      if (header.type === "ping") this.send({ type: "pong", n: header.n });
      if (!isTerminal(header)) continue;
      const { delivery_id: id, type: kind } = header;
      const seq = header.type === "checkpoint" ? { seq: header.seq } : {};
      this.send({ type: "ack", items: [{ id, kind, ...seq, status: "committed" }] });
    }
  }
}

export function frameBytes(header: object, body?: Uint8Array): Buffer {
  return Buffer.concat(encodeFrame(header, body));
}

async function soon(changed: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((settle) => {
    timer = setTimeout(settle, ms);
  });
  await Promise.race([changed, late]);
  clearTimeout(timer);
}
