import { type Check, ensure } from "../examination.js";
import { logRecords } from "../traffic.js";

const SLEEP_MS = 400;
const GRACE_MS = 5000;

export const runningChecks: readonly Check[] = [
  {
    rule: "slots.parallel",
    async run(exam) {
      const host = await exam.start();
      const count = Math.min(host.pool.slots, 8);
      await host.run("reference.echo"); // threads and the like are there now
      const startedAt = performance.now();
      const ids = Array.from({ length: count }, () =>
        host.step("reference.sleep", `{"ms":${SLEEP_MS}}`),
      );
      for (const id of ids) await host.value(id, SLEEP_MS * count + exam.patience.answerMs);
      const tookMs = performance.now() - startedAt;
      ensure(tookMs > SLEEP_MS * 0.9, `Steps that sleep ${SLEEP_MS} ms took ${Math.round(tookMs)}`);
      const isParallel = count === 1 || tookMs < SLEEP_MS * (1 + (count - 1) * 0.75);
      ensure(
        isParallel,
        `${count} steps of ${SLEEP_MS} ms each took ${Math.round(tookMs)} ms: they wait for each other`,
      );
    },
  },
  {
    rule: "order.log",
    needs: ["reference.log"],
    async run(exam) {
      const host = await exam.start();
      const id = host.step("reference.log", '{"count":3}');
      await host.value(id);
      const records = await host.until("4 log records of the step", () => {
        const found = host.traffic.messages
          .filter(({ header }) => header.type === "log")
          .flatMap(({ body }) => logRecords(body))
          .filter((record) => record["delivery_id"] === id);
        return found.length >= 4 ? found : null;
      });
      for (const record of records) {
        const { message, level } = record;
        ensure(typeof message === "string" && message !== "", "A record has no message");
        ensure(typeof level === "string", "A record has no level");
      }
      const levels = new Set(records.map(({ level }) => level));
      ensure(
        levels.size === 2,
        `Three records at info and one at warn have ${[...levels].join(", ")}`,
      );
    },
  },
  {
    rule: "order.beat",
    needs: ["reference.beat"],
    async run(exam) {
      const host = await exam.start();
      const id = host.step("reference.beat", '{"count":3,"ms":300}');
      await host.value(id);
      const beats = host.traffic.messages.flatMap(({ header }) =>
        header.type === "beat" ? header.deliveries.filter((one) => one.id === id) : [],
      );
      // A process may leave out some that follow each other closely.
      const isBounded = beats.length >= 1 && beats.length <= 3;
      ensure(isBounded, `Expected up to 3 beats before the result, got ${beats.length}`);
      for (const { progress } of beats) {
        const isShare = typeof progress === "number" && progress >= 0 && progress <= 1;
        ensure(isShare, `A beat has the progress ${progress}`);
      }
    },
  },
  {
    rule: "ping.idle",
    async run(exam) {
      const host = await exam.start();
      for (const n of [1, 9007199254740991, 0]) {
        host.send({ type: "ping", n });
        await host.message("pong", undefined, (pong) => pong.n === n);
      }
    },
  },
  {
    rule: "ping.busy",
    async run(exam) {
      const host = await exam.start();
      const ms = exam.patience.answerMs * 2;
      const ids = Array.from({ length: host.pool.slots }, () =>
        host.step("reference.sleep", JSON.stringify({ ms })),
      );
      host.send({ type: "ping", n: 21 });
      await host.message("pong", undefined, ({ n }) => n === 21);
      ensure(!ids.some((id) => host.answered(id)), "A step that sleeps was answered early");
    },
  },
  ...(["cancel.stops", "cancel.timeout"] as const).map(
    (rule): Check => ({
      rule,
      async run(exam) {
        const host = await exam.start();
        const id = host.step("reference.sleep", '{"ms":60000}', { timeoutMs: 60_000 });
        await host.alive("a step that sleeps"); // so it has begun
        const reason = rule === "cancel.stops" ? "task_cancelled" : "timeout";
        host.send({ type: "cancel", delivery_id: id, reason, grace_ms: GRACE_MS });
        const { header } = await host.answer(id, GRACE_MS);
        ensure(header.type === "error", `The answer is a \`${header.type}\``);
        await host.alive("a cancelled step");
      },
    }),
  ),
  {
    rule: "cancel.late",
    async run(exam) {
      const host = await exam.start();
      const id = host.step("reference.echo");
      await host.value(id);
      host.send({ type: "cancel", delivery_id: id, reason: "timeout", grace_ms: GRACE_MS });
      await host.quiet();
      await host.alive("a cancel that came late");
    },
  },
];
