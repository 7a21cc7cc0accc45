/** Damaged frames sent to the real Python and Ruby processes: they may hang up, they may not fall over. */
import { spawnSync } from "node:child_process";
import { encodeFrame, type HostHeader } from "@tasker-core/sdk/protocol";
import { describe, expect, it } from "vitest";
import { BRIDGE_COMMANDS } from "../../bench/bridge.js";
import { BridgeConnection } from "../../core/src/bridge/connection.js";
import { greet } from "../../core/src/bridge/greet.js";
import { PeerProcess } from "../../core/src/bridge/peer-process.js";
import { stepHeader } from "../../core/src/bridge/step-header.js";
import { systemClock } from "../../core/src/lib/clock.js";
import { silentLogger } from "../../core/src/observability/index.js";
import { createDelivery } from "../../core/test/support/deliveries.js";
import { mutate, SeededRandom } from "../../core/test/support/seeded-random.js";

const PROCESSES = 20;
const FRAMES_EACH = 100;
const languages = [
  { language: "python", probe: "python3" },
  { language: "ruby", probe: "ruby" },
].map((one) => ({ ...one, isInstalled: spawnSync(one.probe, ["--version"]).status === 0 }));

describe.each(languages)("$language", ({ language, isInstalled }) => {
  const total = PROCESSES * FRAMES_EACH;
  it.runIf(isInstalled)(
    `${total} mutated frames: the process hangs up or goes on, then exits cleanly`,
    {
      timeout: 120_000,
    },
    async () => {
      const random = new SeededRandom();
      for (let round = 0; round < PROCESSES; round++) {
        const end = await fuzzOne(language, random);
        expect(end, `TEST_SEED=${random.seed}, process ${round}`).toEqual({
          signal: null,
          trace: [],
        });
      }
    },
  );
});

async function fuzzOne(
  language: string,
  random: SeededRandom,
): Promise<{ signal: string | null; trace: string[] }> {
  const { command, args, env } = BRIDGE_COMMANDS[language]!(4);
  const options = { logger: silentLogger(), clock: systemClock };
  const child = new PeerProcess({ command, args, env, ...options });
  const connection = new BridgeConnection(child.channel, options);
  await greet(connection, {
    hostId: "fuzz",
    connectionId: "fuzz",
    maxFrame: 1024 * 1024,
    pingMs: 5000,
    leaseMs: 30_000,
    timeoutMs: 10_000,
    clock: systemClock,
    peer: language,
    token: null,
    resumeMs: 0,
  });
  for (let count = 0; count < FRAMES_EACH && connection.isOpen; count++) {
    child.channel.write(mutate(random, validFrame(random)));
    if (count % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  child.channel.end();
  // A process that does not leave at end-of-file shows up as killed.
  const force = setTimeout(() => child.kill("SIGKILL"), 8000);
  const { signal } = await child.exited;
  clearTimeout(force);
  connection.close("done");
  return {
    signal,
    trace: child.stderrTail.filter((line) => /Traceback|\(\w*Error\)$|\.rb:\d+:in/.test(line)),
  };
}

function validFrame(random: SeededRandom): Buffer {
  const delivery = createDelivery({ callable: "reference.echo" });
  const id = delivery.deliveryId;
  const headers: HostHeader[] = [
    stepHeader(delivery, "default"),
    { type: "cancel", delivery_id: id, reason: "timeout", grace_ms: 100 },
    { type: "ack", items: [{ id, kind: "result", status: "committed" }] },
    { type: "ping", n: 3 },
    { type: "nack", ref_type: "result", ref_id: id, code: "unknown_delivery", detail: "" },
  ];
  const header = random.pick(headers);
  return Buffer.concat(
    encodeFrame(header, header.type === "step" ? delivery.payload.bytes() : undefined),
  );
}
