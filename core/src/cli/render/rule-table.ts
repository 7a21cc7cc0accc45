import type { RuleResult, Verdict } from "../../bridge/verify/index.js";
import { type Palette, printable } from "../terminal.js";
import { renderTable } from "./table.js";

const SIGNS: Readonly<Record<Verdict, string>> = {
  pass: "✓",
  fail: "✗",
  advice: "!",
  skip: "–",
  unclear: "?",
};

/** One line per rule, and beneath each that does not hold what was seen. */
export function ruleTable(results: readonly RuleResult[], palette: Palette): string[] {
  const colours: Readonly<Record<Verdict, (text: string) => string>> = {
    pass: palette.green,
    fail: palette.red,
    advice: palette.yellow,
    skip: palette.dim,
    unclear: palette.yellow,
  };
  const lines = renderTable(
    results.map(({ verdict, rule, section, text }) => [
      `${SIGNS[verdict]} ${verdict}`,
      rule,
      `§${section}`,
      text,
    ]),
  );
  return results.flatMap(({ verdict, detail }, index) => {
    const line = colours[verdict](lines[index] ?? "");
    return detail === "" ? [line] : [line, `    ${printable(detail)}`];
  });
}
