import { newUuid } from "../../../lib/uuid.js";
import { type Conversation, MAX_FRAME } from "../conversation.js";
import { type Check, ensure } from "../examination.js";

export const faultChecks: readonly Check[] = [
  {
    rule: "fault.unknown_type",
    async run(exam) {
      const host = await exam.start();
      host.send({ type: "from_the_future", n: 1 });
      const nack = await refusal(host, "unsupported");
      ensure(nack.ref_type === "from_the_future", `ref_type is ${nack.ref_type}`);
      await host.alive("an unknown message type");
    },
  },
  {
    rule: "fault.bad_header",
    async run(exam) {
      const host = await exam.start();
      for (const header of ['{"type":', "[1]", '{"n":1}']) host.write(rawFrame(header));
      await host.until("three `nack bad_header`", () => {
        const codes = host.traffic.messages.flatMap(({ header }) =>
          header.type === "nack" ? [header.code] : [],
        );
        return codes.length >= 3 && codes.every((code) => code === "bad_header");
      });
      await host.alive("headers that are no JSON objects");
    },
  },
  {
    rule: "fault.missing_field",
    async run(exam) {
      const host = await exam.start();
      host.send({ type: "ping" });
      const nack = await refusal(host, "missing_field");
      ensure(nack.ref_type === "ping", `ref_type is ${nack.ref_type}`);
      await host.alive("a message without a field");
    },
  },
  {
    rule: "fault.too_large",
    async run(exam) {
      const host = await exam.start();
      const context = JSON.stringify({ text: "x".repeat(2 * MAX_FRAME) });
      const id = host.step("reference.echo", context);
      const nack = await refusal(host, "too_large");
      ensure(nack.ref_type === "step", `ref_type is ${nack.ref_type}`);
      ensure(nack.ref_id === id, `ref_id is ${nack.ref_id}, not the delivery's id`);
      await host.alive("a frame over the limit");
    },
  },
  {
    rule: "fault.bad_frame",
    async run(exam) {
      const host = await exam.start();
      host.write(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"));
      const { code } = await host.exit(5000 + exam.patience.answerMs);
      ensure(code !== 0, "Its exit code was 0");
    },
  },
  {
    rule: "fault.ack",
    async run(exam) {
      const host = await exam.start();
      const id = host.step("reference.echo");
      await host.value(id);
      const item = { kind: "result" } as const;
      host.send({ type: "ack", items: [{ ...item, id, status: "committed" }] });
      host.send({ type: "ack", items: [{ ...item, id, status: "stale" }] });
      host.send({
        type: "ack",
        items: [{ ...item, id: newUuid(), status: "rejected", code: "x" }],
      });
      host.send({ type: "ack", items: [] });
      await host.quiet();
      await host.alive("stale acks");
    },
  },
];

async function refusal(host: Conversation, code: string) {
  const { header } = await host.message("nack");
  ensure(header.code === code, `The code of the \`nack\` is ${header.code}, not ${code}`);
  return header;
}

/** A frame whose header is this text, whatever it is. */
function rawFrame(header: string): Buffer {
  const text = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(4 + text.length, 0);
  prefix.writeUInt32BE(text.length, 4);
  return Buffer.concat([prefix, text]);
}
