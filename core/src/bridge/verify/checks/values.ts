import type { Conversation } from "../conversation.js";
import { type Check, ensure } from "../examination.js";

export const valueChecks: readonly Check[] = [
  {
    rule: "value.number",
    async run(exam) {
      const host = await exam.start();
      const numbers = [
        0, -1, 3, 9007199254740991, -9007199254740991, 0.1, -2.5e-7, 1e16, 1.7976931348623157e308,
      ];
      const { numbers: back } = (await echo(host, JSON.stringify({ numbers }))) as {
        numbers: unknown;
      };
      ensure(
        JSON.stringify(back) === JSON.stringify(numbers),
        `Sent ${JSON.stringify(numbers)}, got ${JSON.stringify(back)}`,
      );
    },
  },
  {
    rule: "value.integer",
    async run(exam) {
      const host = await exam.start();
      for (const integer of ["9007199254740993", "-9223372036854775808", "18446744073709551615"]) {
        const text = (await host.run("reference.echo", `{"n":${integer}}`)).toString();
        const isKept = new RegExp(`"n"\\s*:\\s*"?${integer}"?\\s*}`).test(text);
        ensure(isKept, `Sent ${integer}, got ${text}`);
      }
    },
  },
  {
    rule: "value.float",
    async run(exam) {
      const host = await exam.start();
      for (const float of ["1.0", "-0.0", "1e16", "100.0"]) {
        const text = (await host.run("reference.echo", `{"n":${float}}`)).toString();
        const source = /"n"\s*:\s*([^\s}]+)/.exec(text)?.[1] ?? "";
        const isKept = /[.eE]/.test(source) && Number(source) === Number(float);
        ensure(isKept, `Sent ${float}, got ${text}`);
      }
    },
  },
  {
    rule: "value.unicode",
    async run(exam) {
      const host = await exam.start();
      const texts = {
        text: 'größe 漢字 😀 \u2028 \u007f "quoted" \\ / \b\f\n\r\t \u0001',
        "ключ 鍵 🔑": "key",
        "": "empty key",
        escaped: "\ud83d\ude00",
      };
      // Once as it is, once with everything escaped that can be.
      const escaped = JSON.stringify(texts).replaceAll(
        /[^\x20-\x7e]/g,
        (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
      for (const sent of [JSON.stringify(texts), escaped]) {
        const back = await echo(host, sent);
        ensure(isSame(back, texts), `Sent ${sent}, got ${JSON.stringify(back)}`);
      }
    },
  },
  {
    rule: "value.null",
    async run(exam) {
      const host = await exam.start();
      const sent = {
        nothing: null,
        list: [null, {}, []],
        no: false,
        zero: 0,
        empty: "",
        object: {},
      };
      const back = await echo(host, JSON.stringify(sent));
      ensure(isSame(back, sent), `Sent ${JSON.stringify(sent)}, got ${JSON.stringify(back)}`);
    },
  },
];

async function echo(host: Conversation, context: string): Promise<unknown> {
  return JSON.parse((await host.run("reference.echo", context)).toString());
}

/** Whatever the order of the keys. */
function isSame(left: unknown, right: unknown): boolean {
  return sorted(left) === sorted(right);
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
