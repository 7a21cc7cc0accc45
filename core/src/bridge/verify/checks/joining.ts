import { NotMetError, NotOfferedError } from "../broken-rule.js";
import { type Check, ensure } from "../examination.js";

export const joiningChecks: readonly Check[] = [
  { rule: "join.proof", lane: "unix", run: proves },
  { rule: "join.tcp", lane: "tcp", run: proves },
  {
    rule: "join.host_proof",
    lane: "unix",
    async run(exam) {
      const host = await exam.open();
      host.send(host.challenge);
      await host.receiveHello();
      const { header, body } = host.prepare("reference.echo");
      host.welcome({ proof: "0".repeat(64) });
      host.send(header, body);
      await host.until("the connection to end", () => host.traffic.hasEnded);
      ensure(!host.answered(header.delivery_id), "It ran a step for a host that proved nothing");
    },
  },
  {
    rule: "join.resume",
    lane: "unix",
    async run(exam) {
      const first = await exam.start();
      const { resume_id: resumeId } = first.hello;
      if (resumeId == null) throw new NotOfferedError("`hello` has no resume_id");
      const lost = first.step("reference.sleep", '{"ms":700}');
      await first.alive("a step that sleeps");
      first.hangUp();
      const second = await exam.open();
      second.send(second.challenge);
      const hello = await second.receiveHello();
      ensure(hello.resume_id === resumeId, "It came back with another resume_id");
      ensure(hello.held?.includes(lost) === true, "It came back without the step it was running");
      second.traffic.expectAnswer(lost);
      second.welcome({ keep: [lost] });
      await second.value(lost);
      await second.alive("a resumed connection");
    },
  },
];

async function proves(exam: Parameters<Check["run"]>[0]): Promise<void> {
  const host = await exam.open();
  host.send(host.challenge);
  const hello = await host.receiveHello();
  if (hello.nonce == null || !/^[0-9a-f]{32}$/.test(hello.nonce)) {
    throw new NotMetError("Its nonce is not 32 lower-case hex digits");
  }
  ensure(
    hello.proof === host.expectedProof,
    `Its proof is ${hello.proof}, not HMAC-SHA256(token, "handler" + host nonce + own nonce)`,
  );
  const said = JSON.stringify([hello, host.manifest]);
  ensure(!said.includes(exam.subject.token ?? ""), "It sent the token itself");
  host.welcome();
  await host.alive("the handshake");
}
