/**
 * A worker of the order workflow as a process of its own, for tests that kill it. Says on standard output, as one line
 * of JSON, which handler processes it has; ends in order when standard input does.
 */
import { createLogger } from "../../core/src/observability/index.js";
import { openShop } from "../../examples/order-fulfilment/shop.js";

const [databaseUrl = ""] = process.argv.slice(2);
const shop = await openShop({
  databaseUrl,
  logger: createLogger({ level: "info" }),
  leaseSeconds: 2,
});
const pids = Object.fromEntries(
  shop.engine.worker.languages.flatMap(({ language, supervisor }) =>
    supervisor === null
      ? []
      : [[language, supervisor.metrics().processes.map(({ pid }) => pid)] as const],
  ),
);
process.stdout.write(`${JSON.stringify(pids)}\n`);

process.stdin.once("end", () => {
  void shop.close().then(() => process.exit(0));
});
process.stdin.resume();
