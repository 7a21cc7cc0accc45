/**
 * A host of any role as a process of its own that can be told where to die. What it runs is the engine as it is: the
 * faults are in the driver (test/support/driver-tap) and in the handlers below.
 */
import { defineHandler, RetryableError, type StepContext } from "@tasker-core/sdk";
import pg from "pg";
import { tapDriver } from "../../../support/driver-tap.js";
import { nameOf } from "../../../support/statement-counter.js";
import { startTestEngine, type TestEngine } from "../../../support/test-engine.js";
import { CHAIN_STEPS } from "./chain.js";
import type { Fault, FromHost, HostOptions, ToHost } from "./protocol.js";

const { databaseUrl, role, leaseSeconds } = JSON.parse(process.argv[2] ?? "{}") as HostOptions;
const own = new pg.Pool({ connectionString: databaseUrl, max: 3, application_name: "fault-host" });
let engine: TestEngine | undefined;
let fault: Fault | undefined;
let heldStep: string | undefined;
let release: () => void = () => undefined;

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

function tell(message: FromHost, sent: () => void = () => undefined): void {
  process.send?.(message, sent);
}

async function isTime(when: string): Promise<boolean> {
  const { rows } = await own.query<{ now: boolean }>(`select (${when}) as now`);
  return rows[0]?.now === true;
}

tapDriver((statement) => {
  if (fault?.at !== "call" || nameOf(statement) !== fault.function) return undefined;
  const { phase, when, holdsBack } = fault;
  return async (send) => {
    if (phase === "before") {
      do {
        if (await isTime(when)) die();
      } while (holdsBack === true);
    }
    await send();
    if (phase === "after" && (await isTime(when))) die();
  };
});

const step = (
  name: string,
  before: string | null,
  value: (previous: number, context: StepContext) => number,
) =>
  defineHandler(`chain.${name}`, {}, async ({ context }: { context: StepContext }) => {
    const key = context.idempotencyKey;
    await own.query(
      "insert into public.runs (task_uuid, step, attempt, key, pid) values ($1, $2, $3, $4, $5)",
      [context.taskUuid, name, context.attempt, key, process.pid],
    );
    await own.query("insert into public.effects (key) values ($1) on conflict do nothing", [key]);
    if (fault?.at === "handler" && fault.step === name) die();
    if (heldStep === name) {
      heldStep = undefined;
      await new Promise<void>((resolve) => {
        release = resolve;
        tell({ tell: "held" });
      });
    }
    const result = before === null ? null : context.getDependencyResult(before);
    const previous =
      result === null ? Number(context.inputData["n"]) : (result as { value: number }).value;
    return { value: value(previous, context) };
  });

const HANDLERS = {
  "chain.one": step("one", null, (n) => n),
  "chain.two": step("two", "one", (one) => one * 2),
  "chain.again": step("again", "two", (two, { attempt }) => {
    if (attempt === 1) throw new RetryableError("once more");
    return two + 1;
  }),
  "chain.last": step("last", "again", (again) => again * 10),
};

async function obey(message: ToHost): Promise<void> {
  switch (message.do) {
    case "start":
      engine = await startTestEngine({
        databaseUrl,
        role,
        templates: { chain: CHAIN_STEPS },
        handlers: role === "server" ? {} : HANDLERS,
        configure: (config) => {
          config.lease.lease_seconds = leaseSeconds;
          config.lease.handler_wait_seconds = 60;
        },
      });
      tell({ tell: "started" });
      return;
    case "arm":
      fault = message.fault;
      tell({ tell: "armed" });
      return;
    case "create":
      await engine?.create("chain", { n: message.n }, message.key);
      tell({ tell: "created" }, fault?.at === "created" ? die : undefined);
      return;
    case "hold":
      heldStep = message.step;
      tell({ tell: "holding" });
      return;
    case "release":
      release();
      return;
    case "stop":
      await engine?.engine.stop();
      await own.end();
      process.disconnect();
      return;
  }
}

process.on("message", (message: ToHost) => {
  void obey(message);
});
// The test has gone: so does this.
process.on("disconnect", () => process.exit(0));
tell({ tell: "ready" });
