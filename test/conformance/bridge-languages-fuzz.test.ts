/** Damaged frames sent to the real Python and Ruby processes: they may hang up, they may not fall over. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { HostHeader } from "@tasker-core/sdk/protocol";
import { describe, expect, it } from "vitest";
import { BRIDGE_COMMANDS } from "../../bench/bridge.js";
import { BridgeConnection } from "../../core/src/bridge/connection.js";
import { greet } from "../../core/src/bridge/greet.js";
import { PeerProcess } from "../../core/src/bridge/peer-process.js";
import { stepHeader } from "../../core/src/bridge/step-header.js";
import type { StepDelivery } from "../../core/src/channels/index.js";
import { systemClock } from "../../core/src/lib/clock.js";
import { createDeferred } from "../../core/src/lib/deferred.js";
import { silentLogger } from "../../core/src/observability/index.js";
import { createDelivery } from "../../core/test/support/deliveries.js";
import { mutate, SeededRandom } from "../../core/test/support/seeded-random.js";

// scripts/chaos asks for 100 000.
const FRAMES = Number(process.env["TASKER_FUZZ_FRAMES"] ?? 1_000);
/** A burst whose frames are damaged anywhere is the last that a process sees: its lengths are soon impossible. */
const FRAMES_EACH = Math.min(400, FRAMES / 10);
/** A process hangs up after ten unusable headers. */
const HEADERS_EACH = 6;
/** Between two pings: fewer than the process has slots. */
const BURST = 16;
const SLOTS = 64;
const LIMIT_MS = 10_000;
/** An interpreter with a frame of the largest size in hand has far less. */
const LIMIT_RSS_KB = 200_000;
const languages = [
  { language: "python", probe: "python3" },
  { language: "ruby", probe: "ruby" },
].map((one) => ({ ...one, isInstalled: spawnSync(one.probe, ["--version"]).status === 0 }));

describe.each(languages)("$language", ({ language, isInstalled }) => {
  it.runIf(isInstalled)(
    `${FRAMES} mutated frames: the process hangs up or goes on, then exits cleanly`,
    { timeout: 60_000 + FRAMES * 30 },
    async () => {
      const random = new SeededRandom();
      let sent = 0;
      let processes = 0;
      let mostRssKb = 0;
      while (sent < FRAMES) {
        const end = await fuzzOne(language, random, FRAMES - sent);
        const where = `TEST_SEED=${random.seed}, process ${processes}`;
        expect(end, where).toMatchObject({ signal: null, trace: [], isDeaf: false });
        expect(end.sent, where).toBeGreaterThan(0);
        sent += end.sent;
        processes += 1;
        mostRssKb = Math.max(mostRssKb, end.rssKb);
      }
      process.stderr.write(
        `fuzz: ${sent} mutated frames to ${processes} ${language} processes, the largest of ${mostRssKb} KB\n`,
      );
      expect(mostRssKb).toBeGreaterThan(1_000);
      expect(mostRssKb).toBeLessThan(LIMIT_RSS_KB);
    },
  );
});

interface End {
  readonly sent: number;
  readonly signal: string | null;
  readonly trace: readonly string[];
  /** It stayed connected, but no longer answered. */
  readonly isDeaf: boolean;
  readonly rssKb: number;
}

async function fuzzOne(language: string, random: SeededRandom, most: number): Promise<End> {
  const { command, args, env } = BRIDGE_COMMANDS[language]!(SLOTS);
  const options = { logger: silentLogger(), clock: systemClock };
  const child = new PeerProcess({ command, args, env, ...options });
  const connection = new BridgeConnection(child.channel, options);
  await greet(connection, {
    hostId: "fuzz",
    connectionId: "fuzz",
    maxFrame: 1024 * 1024,
    pingMs: 5000,
    leaseMs: 30_000,
    timeoutMs: LIMIT_MS,
    clock: systemClock,
    peer: language,
    token: null,
    resumeMs: 0,
  });
  let sent = 0;
  // What is written past the connection must not overtake its `welcome`.
  let isDeaf = !(await isHearing(connection, 0));
  let rssKb = 0;
  while (sent < Math.min(FRAMES_EACH, most) && connection.isOpen && !isDeaf) {
    const isLast = sent + BURST >= FRAMES_EACH;
    for (let count = 0; count < BURST; count++) {
      const isHeader = count === 0 && sent < HEADERS_EACH * BURST;
      const damage = isLast ? damagedAnywhere : isHeader ? damagedHeader : damagedBody;
      child.channel.write(damage(random));
    }
    sent += BURST;
    isDeaf = !(await isHearing(connection, sent));
    rssKb = Math.max(rssKb, residentKb(child.pid));
  }
  child.channel.end();
  // A process that does not leave at end-of-file shows up as killed.
  const force = setTimeout(() => child.kill("SIGKILL"), 8000);
  const { signal } = await child.exited;
  clearTimeout(force);
  connection.close("done");
  const trace = child.stderrTail.filter((line) => /Traceback|\(\w*Error\)$|\.rb:\d+:in/.test(line));
  return { sent, signal, trace, isDeaf, rssKb };
}

/**
 * Waits for the answer to a ping, or for the end of the connection. Behind half a frame the ping is swallowed as its
 * end: so the process is silent by right, until so much has come that the frame is complete.
 */
async function isHearing(connection: BridgeConnection, n: number): Promise<boolean> {
  const heard = createDeferred<boolean>();
  connection.listener = {
    message: (header) => {
      if (header.type === "pong") heard.resolve(true);
    },
    tooLarge: () => undefined,
    writable: () => undefined,
  };
  void connection.closed.then(() => heard.resolve(true));
  const timer = setTimeout(() => heard.resolve(false), LIMIT_MS);
  // Enough of them to complete any half frame, or to make nonsense of it.
  connection.send({ type: "ping", n });
  const more = setInterval(() => connection.send({ type: "ping", n }, Buffer.alloc(64 * 1024)), 20);
  try {
    return await heard.promise;
  } finally {
    clearTimeout(timer);
    clearInterval(more);
  }
}

function residentKb(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  } catch {
    return 0; // it has just hung up and gone
  }
}

/** Costs a step, not the connection. */
function damagedBody(random: SeededRandom): Buffer {
  const { header, body } = stepFrame();
  return frameOf(header, mutate(random, body));
}

/** Costs the process a `nack`, if anything. */
function damagedHeader(random: SeededRandom): Buffer {
  const { header, body } = stepFrame();
  const damaged = mutate(random, header);
  return frameOf(damaged.length === 0 ? header : damaged, body);
}

function damagedAnywhere(random: SeededRandom): Buffer {
  const { delivery, header, body } = stepFrame();
  const id = delivery.deliveryId;
  const others: HostHeader[] = [
    { type: "cancel", delivery_id: id, reason: "timeout", grace_ms: 100 },
    { type: "ack", items: [{ id, kind: "result", status: "committed" }] },
    { type: "ping", n: 3 },
    { type: "nack", ref_type: "result", ref_id: id, code: "unknown_delivery", detail: "" },
  ];
  const isStep = random.below(2) === 0;
  const other = Buffer.from(JSON.stringify(random.pick(others)));
  return mutate(random, isStep ? frameOf(header, body) : frameOf(other, Buffer.alloc(0)));
}

function stepFrame(): { delivery: StepDelivery; header: Buffer; body: Buffer } {
  const delivery = createDelivery({ callable: "reference.echo" });
  const header = Buffer.from(JSON.stringify(stepHeader(delivery, "default")));
  return { delivery, header, body: Buffer.from(delivery.payload.bytes()) };
}

/** With lengths that are right, whatever the header is. */
function frameOf(header: Uint8Array, body: Uint8Array): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(4 + header.length + body.length, 0);
  prefix.writeUInt32BE(header.length, 4);
  return Buffer.concat([prefix, header, body]);
}
