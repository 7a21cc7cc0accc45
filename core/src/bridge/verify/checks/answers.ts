import type { ErrorHeader } from "@tasker-core/sdk/protocol";
import { type Conversation, MAX_FRAME } from "../conversation.js";
import { type Check, ensure } from "../examination.js";

export const answerChecks: readonly Check[] = [
  {
    rule: "answer.result",
    async run(exam) {
      const host = await exam.start();
      const { header, body } = await host.answer(host.step("reference.echo", '{"a":[1,"é"]}'));
      ensure(header.type === "result", `Expected a \`result\`, got \`${header.type}\``);
      ensure(header.outcome === "success", `Its outcome is ${header.outcome}`);
      const value = body.subarray(0, header.split).toString();
      ensure(
        value.replaceAll(/\s/g, "") === '{"a":[1,"é"]}',
        `The first ${header.split} bytes of the body are not the value: ${value}`,
      );
    },
  },
  {
    rule: "answer.error",
    async run(exam) {
      const host = await exam.start();
      const permanent = await failure(
        host,
        "reference.fail",
        '{"permanent":true,"message":"no stock of größe","error_code":"E42"}',
      );
      ensure(!permanent.retryable, "A permanent error is marked as retryable");
      ensure(permanent.kind === "handler", `Its kind is ${permanent.kind}, not handler`);
      ensure(permanent.message === "no stock of größe", `Its message is ${permanent.message}`);
      ensure(permanent.code === "E42", `Its code is ${permanent.code}, not E42`);
      const passing = await failure(host, "reference.fail", '{"message":"busy","retry_after":7}');
      ensure(passing.retryable, "A retryable error is marked as permanent");
      ensure(
        passing.retry_after_ms === 7000,
        `retry_after_ms is ${passing.retry_after_ms}, not 7000`,
      );
      await host.alive("a failed step");
    },
  },
  {
    rule: "answer.not_found",
    async run(exam) {
      const host = await exam.start();
      const error = await failure(host, "reference.nobody_has_this");
      ensure(error.kind === "handler_not_found", `Its kind is ${error.kind}`);
      ensure(!error.retryable, "It is marked as retryable");
      await host.alive("a step without a handler");
    },
  },
  {
    rule: "answer.invalid_result",
    async run(exam) {
      const host = await exam.start();
      const error = await failure(host, "reference.bad_value", '{"kind":"nan"}');
      ensure(error.kind === "invalid_result", `Its kind is ${error.kind}`);
      ensure(!error.retryable, "It is marked as retryable");
      await host.alive("a result that is not JSON");
    },
  },
  {
    rule: "answer.too_large",
    async run(exam) {
      const host = await exam.start();
      const fits = await host.run("reference.big", `{"bytes":${MAX_FRAME / 2}}`);
      ensure(fits.length > MAX_FRAME / 2, `Expected ${MAX_FRAME / 2} bytes, got ${fits.length}`);
      const error = await failure(host, "reference.big", `{"bytes":${MAX_FRAME * 2}}`);
      ensure(error.kind === "payload_too_large", `Its kind is ${error.kind}`);
      ensure(!error.retryable, "It is marked as retryable");
      await host.alive("a result over the limit");
    },
  },
  {
    rule: "answer.checkpoint",
    needs: ["reference.checkpoint"],
    async run(exam) {
      const host = await exam.start();
      const { header, body } = await host.answer(host.step("reference.checkpoint", '{"yields":1}'));
      ensure(header.type === "checkpoint", `Expected a \`checkpoint\`, got \`${header.type}\``);
      ensure(header.items_processed === 10, `items_processed is ${header.items_processed}, not 10`);
      const progress = JSON.parse(body.toString()) as Readonly<Record<string, unknown>>;
      ensure(
        progress["cursor"] === 1,
        `The cursor is ${JSON.stringify(progress["cursor"])}, not 1`,
      );
      const checkpoint = JSON.stringify({ ...progress, items_processed: 10 });
      const again = host.step("reference.checkpoint", '{"yields":1}', { checkpoint });
      const value = JSON.parse((await host.value(again)).toString()) as { yields?: unknown };
      ensure(value.yields === 1, `Continued at cursor 1, it says ${JSON.stringify(value)}`);
    },
  },
];

async function failure(
  host: Conversation,
  callable: string,
  context?: string,
): Promise<ErrorHeader> {
  const { header } = await host.answer(host.step(callable, context));
  ensure(header.type === "error", `Expected an \`error\` from ${callable}, got \`${header.type}\``);
  return header;
}
