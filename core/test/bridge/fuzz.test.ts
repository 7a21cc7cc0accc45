import { Duplex } from "node:stream";
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

const ROUNDS = 2000;

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
  it(`${ROUNDS} to the host: no exception, and the delivery is answered exactly once`, async () => {
    const random = new SeededRandom();
    for (let round = 0; round < ROUNDS; round++) {
      const answers = await playToHost(random);
      expect(answers, `TEST_SEED=${random.seed}, round ${round}`).toBe(1);
    }
  });

  it(`${ROUNDS} to a handler: decoding and checking never throw`, () => {
    const random = new SeededRandom();
    const delivery = createDelivery();
    const headers: HostHeader[] = [
      stepHeader(delivery, "default"),
      { type: "cancel", delivery_id: delivery.deliveryId, reason: "timeout", grace_ms: 5000 },
      { type: "ack", items: [{ id: delivery.deliveryId, kind: "result", status: "committed" }] },
    ];
    for (let round = 0; round < ROUNDS; round++) {
      const decoder = new FrameDecoder();
      const bytes = Buffer.concat(encodeFrame(random.pick(headers), Buffer.from("{}")));
      const read = (): void => {
        for (const frame of decoder.push(mutate(random, bytes))) {
          if (frame.kind === "frame") checkForHandler(frame.header);
        }
      };
      expect(read, `TEST_SEED=${random.seed}, round ${round}`).not.toThrow();
    }
  });
});

/** Plays valid and damaged frames into a session that holds one delivery. Resolves with how often that was answered. */
async function playToHost(random: SeededRandom): Promise<number> {
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
  for (let count = 1 + random.below(4); count > 0; count--) {
    const frame = random.pick(frames);
    stream.push(random.below(4) === 0 ? frame : mutate(random, frame));
  }
  stream.push(null);
  await connection.closed;
  await session.end("the stream ended", "worker_lost");
  return completions.takeAll().length;
}
