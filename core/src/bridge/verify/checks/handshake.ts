import type { HelloHeader } from "@tasker-core/sdk/protocol";
import { frameBytes as frame } from "../conversation.js";
import { type Check, callables, ensure } from "../examination.js";
import type { Received } from "../traffic.js";

/** Without these there is nothing to check with. */
export const REQUIRED_HANDLERS = ["echo", "fail", "sleep", "print", "big", "bad_value"].map(
  (name) => `reference.${name}`,
);

/** A program that finds no common ground may take this long to say so and go. */
const GIVE_UP_MS = 5000;

function isHello(message: Received): message is Received<HelloHeader> {
  return message.header.type === "hello";
}

/** The first check: nothing else can be judged before it holds. */
export const helloCheck: Check = {
  rule: "handshake.hello",
  async run(exam) {
    const host = await exam.open();
    host.send(host.challenge);
    const hello = await host.receiveHello();
    const features = hello.features.filter((name) => !host.challenge.features.includes(name));
    ensure(features.length === 0, `Features nobody offered: ${features.join(", ")}`);
    ensure(hello.protocol === 1, `Protocol ${hello.protocol} was not offered, only 1`);
  },
};

export const handshakeChecks: readonly Check[] = [
  {
    rule: "handshake.manifest",
    async run(exam) {
      const host = await exam.start();
      const pools = host.hello.pools.map(({ name }) => name);
      ensure(pools.length > 0, "`hello` declares no pool");
      ensure(new Set(pools).size === pools.length, "`hello` declares a pool twice");
      ensure(host.pool.slots >= 1, `The first pool has ${host.pool.slots} slots`);
      const { manifest } = host;
      const names = callables(manifest);
      const missing = REQUIRED_HANDLERS.filter((name) => !names.has(name));
      ensure(missing.length === 0, `The conformance handlers ${missing.join(", ")} are missing`);
      for (const entry of manifest as readonly { callable?: string; pool?: string }[]) {
        const isKnown = entry.pool === undefined || pools.includes(entry.pool);
        ensure(
          isKnown,
          `Handler ${entry.callable} is in pool ${entry.pool}, which is not declared`,
        );
      }
    },
  },
  {
    rule: "handshake.highest",
    async run(exam) {
      const host = await exam.open();
      host.challenge = { ...host.challenge, protocols: [1, 98, 99] };
      host.send(host.challenge);
      const { protocol } = await host.receiveHello();
      ensure(protocol === 1, `It chose protocol ${protocol} of 1, 98, 99`);
    },
  },
  {
    rule: "handshake.version",
    async run(exam) {
      const host = await exam.open();
      host.send({ ...host.challenge, protocols: [98, 99] });
      const withinMs = GIVE_UP_MS + exam.patience.answerMs;
      const found = await host.until(
        "the process to end, or to say which protocol it speaks",
        () => host.traffic.messages.find(isHello) ?? exam.subject.exit,
        withinMs,
      );
      if ("header" in found && isHello(found)) {
        const { protocol } = found.header;
        ensure(protocol < 98, `It claims to speak protocol ${protocol}`);
        host.send({
          type: "reject",
          code: "version",
          message: "Only 98 and 99",
          supported: [98, 99],
        });
      }
      const { code } = await host.exit(withinMs);
      ensure(code !== 0, "Its exit code was 0");
    },
  },
  {
    rule: "handshake.reject",
    async run(exam) {
      const host = await exam.open();
      host.send(host.challenge);
      await host.receiveHello();
      host.send({ type: "reject", code: "limit", message: "This host is full" });
      const { code } = await host.exit(GIVE_UP_MS + exam.patience.answerMs);
      ensure(code !== 0, "Its exit code was 0");
    },
  },
  {
    rule: "handshake.early",
    async run(exam) {
      const host = await exam.open();
      host.send(host.challenge);
      await host.receiveHello();
      const { header, body } = host.prepare("reference.echo", '{"early":true}');
      host.welcome({ behind: frame(header, body) });
      await host.value(header.delivery_id);
    },
  },
];
