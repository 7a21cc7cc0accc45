import { frameBytes } from "../conversation.js";
import { type Check, ensure } from "../examination.js";

export const frameChecks: readonly Check[] = [
  {
    rule: "frame.split",
    async run(exam) {
      const host = await exam.start();
      const { header, body } = host.prepare("reference.echo", '{"text":"größe 漢字 😀"}');
      const bytes = Buffer.concat([frameBytes({ type: "ping", n: 7 }), frameBytes(header, body)]);
      const size = bytes.length;
      // Lengths, header and the first of the body byte by byte; then pieces that end nowhere in particular.
      for (let at = 0; at < size; ) {
        const piece = at < 60 ? 1 : 61;
        host.write(bytes.subarray(at, at + piece));
        await new Promise((settle) => setTimeout(settle, at < 16 ? 5 : 1));
        at += piece;
      }
      await host.message("pong", undefined, ({ n }) => n === 7);
      ensure((await host.value(header.delivery_id)).length > 0, "The echo was empty");
    },
  },
  {
    rule: "frame.coalesced",
    async run(exam) {
      const host = await exam.start();
      const steps = Array.from({ length: Math.min(host.pool.slots, 4) }, (_, index) =>
        host.prepare("reference.echo", `{"index":${index}}`),
      );
      const pings = [11, 12, 13].map((n) => frameBytes({ type: "ping", n }));
      host.write(
        Buffer.concat([...pings, ...steps.map(({ header, body }) => frameBytes(header, body))]),
      );
      for (const n of [11, 12, 13]) await host.message("pong", undefined, (pong) => pong.n === n);
      for (const { header } of steps) await host.value(header.delivery_id);
    },
  },
  {
    rule: "header.unknown",
    async run(exam) {
      const host = await exam.start();
      const { header, body } = host.prepare("reference.echo");
      host.send(
        { ...header, method: null, traceparent: null, from_the_future: { a: [1, null] } },
        body,
      );
      await host.value(header.delivery_id);
    },
  },
];
