import pg from "pg";

/** A statement on its way from this process to the server. */
export interface ClientStatement {
  readonly text: string;
}

/**
 * Decides about one statement. `send` sends it and resolves when the server has answered, with an error too; the
 * caller hears the answer once the interception has resolved.
 */
export type Interception = (send: () => Promise<void>) => Promise<void>;

/** Sees each statement of every connection of this process. Undefined lets it pass as if nobody had looked. */
export type DriverTap = (statement: ClientStatement) => Interception | undefined;

type Callback = (error: unknown, result?: unknown) => void;
type Query = (...given: unknown[]) => unknown;

/**
 * Puts a tap into the driver: `pg.Client.query`, which pools, transactions and pump connections all end in. Returns
 * what takes it out again.
 */
export function tapDriver(tap: DriverTap): () => void {
  const prototype = pg.Client.prototype as unknown as { query: Query };
  const original = prototype.query;
  prototype.query = function query(this: pg.Client, ...given) {
    const [config, values] = given;
    const intercept = tap(statementOf(config));
    if (intercept === undefined) return original.apply(this, given);
    const settled = answerOf(intercept, async () => {
      return await original.call(this, config, typeof values === "function" ? undefined : values);
    });
    const callback = given.find((one): one is Callback => typeof one === "function");
    if (callback === undefined) return settled;
    settled.then((result) => callback(null, result), callback);
    return undefined;
  };
  return () => {
    prototype.query = original;
  };
}

async function answerOf(intercept: Interception, query: () => Promise<unknown>): Promise<unknown> {
  let answer: Promise<unknown> = Promise.resolve();
  await intercept(async () => {
    answer = query();
    await answer.catch(() => undefined); // the caller's to hear
  });
  return await answer;
}

function statementOf(config: unknown): ClientStatement {
  return { text: typeof config === "string" ? config : ((config as { text?: string }).text ?? "") };
}
