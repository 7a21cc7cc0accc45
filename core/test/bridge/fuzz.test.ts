import { Duplex } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  checkForHandler,
  encodeFrame,
  FrameDecoder,
  type HandlerHeader,
  type HostHeader,
} from "@tasker-core/sdk/protocol";
import { describe, expect, it } from "vitest";
import { BridgeConnection } from "../../src/bridge/connection.js";
import { PeerSession } from "../../src/bridge/session.js";
import { stepHeader } from "../../src/bridge/step-header.js";
import { CompletionChannel, FfiDispatchChannel } from "../../src/channels/index.js";
import { systemClock } from "../../src/lib/clock.js";
import { silentLogger } from "../../src/observability/index.js";
import { createDelivery } from "../support/deliveries.js";
import { mutate, SeededRandom } from "../support/seeded-random.js";

// scripts/chaos asks for 100 000.
const FRAMES = Number(process.env["TASKER_FUZZ_FRAMES"] ?? 4_000);
const TIMEOUT_MS = 20_000 + FRAMES * 15;
/** Of garbage-collected memory after the run: a session that stayed would be thousands of times this. */
const GROWTH_KB = 8_000;

function framesToHost(id: string): Buffer[] {
  const base = { delivery_id: id, execution_ms: 1 };
  const messages: [HandlerHeader, string][] = [
    [{ type: "result", ...base, outcome: "success", split: 9 }, '{"a":[1]}{"metadata":{}}'],
    [
      { type: "error", ...base, error_type: "E", message: "m", retryable: true, kind: "handler" },
      '{"backtrace":[]}',
    ],
    [{ type: "log", dropped: 0 }, '[{"level":"info","message":"hi","fields":{}}]'],
    [
      { type: "checkpoint", delivery_id: id, seq: 1, items_processed: 5, yield: true },
      '{"cursor":1}',
    ],
    [{ type: "event", delivery_id: id, name: "e", version: "1.0", on: "always" }, "{}"],
    [{ type: "ready", pools: { default: 4 } }, ""],
    [{ type: "started", deliveries: [id] }, ""],
    [{ type: "beat", deliveries: [{ id, progress: 0.5 }] }, ""],
    [{ type: "nack", ref_type: "step", ref_id: id, code: "unsupported", detail: "" }, ""],
    [{ type: "ping", n: 1 }, ""],
    [{ type: "drain", grace_ms: 1, reason: "r" }, ""],
    [{ type: "bye", reason: "r" }, ""],
  ];
  return messages.map(([header, body]) => Buffer.concat(encodeFrame(header, Buffer.from(body))));
}

describe("mutated frames", () => {
  it(
    `${FRAMES} to the host: no exception, and the delivery is answered exactly once`,
    async () => {
      const random = new SeededRandom();
      let frames = 0;
      let liveKb = 0;
      for (let round = 0; frames < FRAMES; round++) {
        const { answers, mutated } = await playToHost(random);
        expect(answers, `TEST_SEED=${random.seed}, round ${round}`).toBe(1);
        frames += mutated;
        if (round === 500) liveKb = collectedKb();
      }
      const growthKb = collectedKb() - liveKb;
      process.stderr.write(
        `fuzz: ${frames} mutated frames to the host, live memory ${growthKb} KB\n`,
      );
      expect(growthKb).toBeLessThan(GROWTH_KB);
      expect(growthKb).toBeGreaterThan(-4 * GROWTH_KB);
    },
    TIMEOUT_MS,
  );

  it(
    `${FRAMES} to a handler: decoding and checking never throw`,
    () => {
      const random = new SeededRandom();
      const delivery = createDelivery();
      const headers: HostHeader[] = [
        stepHeader(delivery, "default"),
        { type: "cancel", delivery_id: delivery.deliveryId, reason: "timeout", grace_ms: 5000 },
        { type: "ack", items: [{ id: delivery.deliveryId, kind: "result", status: "committed" }] },
      ];
      for (let round = 0; round < FRAMES; round++) {
        const decoder = new FrameDecoder();
        const bytes = Buffer.concat(encodeFrame(random.pick(headers), Buffer.from("{}")));
        const read = (): void => {
          for (const frame of decoder.push(mutate(random, bytes))) {
            if (frame.kind === "frame") checkForHandler(frame.header);
          }
        };
        expect(read, `TEST_SEED=${random.seed}, round ${round}`).not.toThrow();
      }
    },
    TIMEOUT_MS,
  );
});

/** Plays valid and damaged frames into a session that holds one delivery. Resolves with how often that was answered. */
async function playToHost(random: SeededRandom): Promise<{ answers: number; mutated: number }> {
  const completions = new CompletionChannel({ capacity: 10 });
  const channel = new FfiDispatchChannel({
    pool: "default",
    capacity: 1,
    completions,
    clock: systemClock,
  });
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const logger = silentLogger();
  const connection = new BridgeConnection(stream, { logger, clock: systemClock });
  const session = new PeerSession({
    connection,
    channel,
    logger,
    clock: systemClock,
    workerName: "fuzz",
    pool: "default",
    slots: 4,
    maxFrame: 16 * 1024 * 1024,
    cancelGraceMs: 5000,
    pingMs: 5000,
    onRoom: () => undefined,
    onRetire: () => undefined,
    greeting: { interest: { lifecycle: [], domain: [] }, publishers: [] },
    onEventsChange: () => undefined,
    onEventsFailed: () => undefined,
  });
  const delivery = createDelivery();
  channel.offer(delivery);
  session.dispatch(channel.poll()!);
  const frames = framesToHost(delivery.deliveryId);
  let mutated = 0;
  for (let count = 1 + random.below(4); count > 0; count--) {
    const frame = random.pick(frames);
    const isValid = random.below(4) === 0;
    stream.push(isValid ? frame : mutate(random, frame));
    if (!isValid) mutated++;
  }
  stream.push(null);
  await connection.closed;
  await session.end("the stream ended", "worker_lost");
  // Else nothing that waits for its turn of the event loop would ever have one, and all of it would stay.
  await new Promise((resolve) => setImmediate(resolve));
  return { answers: completions.takeAll().length, mutated };
}

function collectedKb(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return Math.round(process.memoryUsage().heapUsed / 1024);
}
