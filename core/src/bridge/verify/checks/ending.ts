import type { Conversation } from "../conversation.js";
import { type Check, ensure } from "../examination.js";

const GRACE_MS = 10_000;
/** BRIDGE: "exit within 5 s"; a process that ends in time may be seen a little later. */
const EXIT_MS = 7500;

export const endingChecks: readonly Check[] = [
  {
    rule: "drain.idle",
    async run(exam) {
      const host = await exam.start();
      await host.run("reference.echo");
      host.send({ type: "drain", grace_ms: GRACE_MS, reason: "verify" });
      await goodbye(host);
    },
  },
  {
    rule: "drain.finishes",
    async run(exam) {
      const host = await exam.start();
      const id = host.step("reference.sleep", '{"ms":600}');
      await host.alive("a step that sleeps"); // so it has begun
      host.send({ type: "drain", grace_ms: GRACE_MS, reason: "verify" });
      await host.value(id);
      await goodbye(host);
    },
  },
  {
    rule: "stop.bye",
    async run(exam) {
      const host = await exam.start();
      await host.run("reference.echo");
      host.send({ type: "bye", reason: "verify is done" });
      await host.exit(EXIT_MS);
    },
  },
  {
    rule: "stop.eof",
    async run(exam) {
      const host = await exam.start();
      host.step("reference.sleep", '{"ms":60000}');
      await host.alive("a step that sleeps");
      host.hangUp();
      await host.exit(EXIT_MS);
    },
  },
  {
    rule: "stop.sigterm",
    async run(exam) {
      const host = await exam.start();
      const id = host.step("reference.sleep", '{"ms":600}');
      await host.alive("a step that sleeps");
      exam.subject.signal("SIGTERM");
      await host.message("drain");
      await host.value(id);
      await goodbye(host);
    },
  },
];

async function goodbye(host: Conversation): Promise<void> {
  await host.message("bye", EXIT_MS);
  const { code, signal } = await host.exit(EXIT_MS);
  ensure(code === 0, `It ended with ${signal ?? `code ${code}`}, not with code 0`);
}
