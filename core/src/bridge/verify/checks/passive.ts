import { NotMetError } from "../broken-rule.js";
import { type Conversation, MAX_FRAME } from "../conversation.js";
import type { Check } from "../examination.js";
import type { RuleId } from "../rules.js";

/**
 * Rules that hold at every moment are looked after by the traffic itself. These make sure that something passes by;
 * whether it is the right thing is for other rules.
 */
export const passiveChecks: readonly Check[] = [
  ...(["frame.valid", "header.schema", "value.json"] as const).map((rule) =>
    passive(rule, async (host) => {
      await host.answer(host.step("reference.echo", '{"a":1}'));
      await host.answer(host.step("reference.fail", '{"message":"as asked"}'));
      await host.answer(host.step("reference.bad_value", '{"kind":"nan"}'));
      await host.answer(host.step("reference.big", `{"bytes":${2 * MAX_FRAME}}`));
      for (const name of ["reference.print", "reference.log", "reference.beat"]) {
        await host.answer(host.step(name, '{"count":2}'));
      }
    }),
  ),
  passive("answer.once", async (host) => {
    for (let i = 0; i < 5; i++) await host.answer(host.step("reference.echo", `{"i":${i}}`));
    const failed = host.step("reference.fail");
    await host.answer(failed);
    host.send({ type: "cancel", delivery_id: failed, reason: "timeout", grace_ms: 1000 });
  }),
  passive("order.before_terminal", async (host) => {
    await host.answer(host.step("reference.echo"));
    for (const name of ["reference.log", "reference.beat"]) {
      await host.answer(host.step(name, '{"count":3}'));
    }
  }),
];

function passive(rule: RuleId, talk: (host: Conversation) => Promise<void>): Check {
  return {
    rule,
    async run(exam) {
      const host = await exam.start();
      try {
        await talk(host);
      } catch (error) {
        if (!(error instanceof NotMetError)) throw error;
      }
      await host.quiet();
    },
  };
}
