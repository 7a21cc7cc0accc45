/**
 * The order workflow on a real Postgres: `./scripts/demo`. Runs the orders of `orders.json` through TypeScript, Python
 * and Ruby and compares every result with a plain computation. Exit code 0: all right, 1: something differs.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isTaskerError } from "../../core/src/errors/index.js";
import { createLogger } from "../../core/src/observability/index.js";
import { resolveDatabase } from "../../core/src/postgres/index.js";
import { differences, readSteps } from "./check.js";
import { expectedOf } from "./expected.js";
import { readOrders } from "./orders.js";
import { Progress } from "./progress.js";
import { runOrders, type SettledOrder } from "./run.js";
import { openShop, type Shop } from "./shop.js";
import { drawSummary } from "./summary.js";
import { drawTimeline, languageName, readAttempts } from "./timeline.js";

const HELP = `usage: scripts/demo [--rounds N] [--in-flight N] [--verbose]

  --rounds N     send the 240 orders N times (default 1)
  --in-flight N  orders under way at the same time (default 24)
  --verbose      show the engine's log

DATABASE_URL names another Postgres than the embedded one.`;
const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const SHOWN_DIFFERENCES = 20;

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) return 0;
  const stopping = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => stopping.abort(new Error(`stopped by ${name}`)));
  }
  const logger = createLogger({ level: options.verbose ? "debug" : "error", pretty: true });
  say("Tasker: one graph, three languages\n");
  const database = await resolveDatabase({
    databaseUrl: process.env["DATABASE_URL"],
    dataDir: `${PROJECT}.tasker/postgres`,
    signal: stopping.signal,
  });
  try {
    say(`  Postgres    ${describeDatabase(database.from, database.server?.version)}`);
    const shop = await openShop({ databaseUrl: database.url, logger });
    try {
      return await demonstrate(shop, options, stopping.signal);
    } finally {
      await shop.close();
    }
  } finally {
    await database.close();
  }
}

async function demonstrate(shop: Shop, options: Options, signal: AbortSignal): Promise<number> {
  const { engine, template } = shop;
  for (const { language, supervisor } of engine.worker.languages) {
    const pids = supervisor?.metrics().processes.map(({ pid }) => pid) ?? [process.pid];
    say(`  ${languageName(language).padEnd(12)}process ${pids.join(", ")}`);
  }
  const file = await readOrders();
  const orders = Array.from({ length: options.rounds }, () => file).flat();
  say(`\n${orders.length} orders, ${options.inFlight} under way at a time:\n`);

  const progress = new Progress(orders.length);
  const started = performance.now();
  const settled = await runOrders({
    engine,
    orders,
    inFlight: options.inFlight,
    signal,
    onSettled: (done) => progress.update(done),
  });
  const elapsedMs = performance.now() - started;

  const languageOf = (callable: string): string =>
    languageName(engine.worker.pools.poolOf(callable)?.channel.pool);
  const shown = exampleOf(settled);
  const attempts = await readAttempts(engine.pool, shown.taskUuid);
  say(
    `\nOne of them, ${shown.order.order_id}: ${Math.round(shown.ms)} ms (█ ran, ░ failed and ran again)\n`,
  );
  say(drawTimeline(template, attempts, languageOf));

  const steps = await readSteps(
    engine.pool,
    settled.map(({ taskUuid }) => taskUuid),
  );
  say("\nAll of them:\n");
  say(drawSummary({ settled, steps, template, languageOf, elapsedMs }));
  const wrong = settled.flatMap(({ order, taskUuid, state }) =>
    differences(order, state, steps.get(taskUuid) ?? []),
  );
  return verdict(settled.length, wrong);
}

function verdict(orders: number, wrong: readonly string[]): number {
  if (wrong.length === 0) {
    say(`\n✔ All ${orders} orders ended as an independent computation says.\n`);
    say(NEXT);
    return 0;
  }
  say(`\n✘ ${wrong.length} differences from the independent computation:\n`);
  for (const difference of wrong.slice(0, SHOWN_DIFFERENCES)) say(`  ${difference}`);
  if (wrong.length > SHOWN_DIFFERENCES) say(`  ... and ${wrong.length - SHOWN_DIFFERENCES} more`);
  return 1;
}

const NEXT = `Next:
  examples/order-fulfilment/handlers     the eight handlers, thirty lines each
  ./scripts/demo --rounds 20             then kill -9 one of the processes above
  cd examples/order-fulfilment           one order, step by step:
  npx tasker run order_fulfilment.yaml --handlers handlers -i @order.json -w
  docs/reference/cli.md                  your own templates and handlers`;

/** A late one of the complete orders that had to try again: it shows most, and nothing is cold any more. */
function exampleOf(settled: readonly SettledOrder[]): SettledOrder {
  const complete = settled.filter(({ state }) => state === "complete");
  const retried = complete.findLast(
    ({ order }) => expectedOf(order).attempts["charge"] !== undefined,
  );
  const example = retried ?? complete[0] ?? settled[0];
  if (example === undefined) throw new Error("no order was settled");
  return example;
}

function describeDatabase(from: string, version: string | undefined): string {
  if (from === "url") return "the one of DATABASE_URL";
  return `${version ?? ""} ${from === "running" ? "(already running)" : `(${from})`}, in .tasker/postgres`;
}

interface Options {
  readonly rounds: number;
  readonly inFlight: number;
  readonly verbose: boolean;
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "1" },
      "in-flight": { type: "string", default: "24" },
      verbose: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    say(HELP);
    return null;
  }
  return {
    rounds: positive("--rounds", values.rounds),
    inFlight: positive("--in-flight", values["in-flight"]),
    verbose: values.verbose,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 10_000) return value;
  throw new Error(`${name} wants a whole number from 1 to 10000, got "${text}"`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`\n✘ ${error instanceof Error ? error.message : String(error)}\n`);
  if (isTaskerError(error, "MIGRATION_CHECKSUM_MISMATCH")) {
    process.stderr.write(
      "  Another version of Tasker made .tasker/postgres: remove it to start afresh.\n",
    );
  }
  process.exitCode = 1;
}
