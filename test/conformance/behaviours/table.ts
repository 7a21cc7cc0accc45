import { readFileSync } from "node:fs";
import { canonicalJson } from "../../../core/src/lib/canonical-json.js";
import { stringifyJson } from "../../../core/src/lib/json-number.js";
import { parseJson } from "../../../core/src/lib/parse-json.js";

export const LANGUAGES = ["typescript", "python", "ruby"] as const;
export type Language = (typeof LANGUAGES)[number];

export interface Expectation {
  readonly state?: string;
  readonly attempts?: number;
  /** JSON text: numbers as they are written. */
  readonly result?: string;
  readonly error?: Readonly<Record<string, unknown>>;
}

/** What a language does instead, and why. */
export interface Difference {
  readonly reason: string;
  readonly expect: Expectation;
}

export interface Behaviour {
  readonly area: string;
  readonly name: string;
  readonly handler: string;
  /** JSON text. */
  readonly context: string;
  readonly initialization?: object;
  readonly retry?: object;
  readonly timeout_seconds?: number;
  /** A step with this handler comes first. */
  readonly after?: string;
  readonly cancel?: boolean;
  readonly copies?: number;
  readonly within_ms?: number;
  readonly compare?: "number";
  readonly expect: Expectation;
  readonly differs?: Partial<Record<Language, Difference>>;
}

export interface BehaviourTable {
  readonly behaviours: readonly Behaviour[];
  readonly elsewhere: readonly {
    readonly area: string;
    readonly name: string;
    readonly tests: readonly string[];
  }[];
}

/** test/conformance/behaviours.json; contexts and results as texts, whose numbers nobody has touched. */
export function readBehaviours(): BehaviourTable {
  const text = readFileSync(new URL("../behaviours.json", import.meta.url), "utf8");
  // biome-ignore lint/suspicious/noExplicitAny: the file is ours, and Behaviour says what is in it
  const table = parseJson(text) as any;
  for (const behaviour of table.behaviours) {
    behaviour.context = stringifyJson(behaviour.context ?? {});
    const alternatives = Object.values(behaviour.differs ?? {}) as { expect: object }[];
    for (const { expect } of [behaviour, ...alternatives]) keepText(expect);
  }
  return table as BehaviourTable;
}

function keepText(expected: { result?: unknown }): void {
  if (expected.result !== undefined) expected.result = stringifyJson(expected.result);
}

export function expectationOf(behaviour: Behaviour, language: Language): Expectation {
  return behaviour.differs?.[language]?.expect ?? behaviour.expect;
}

/** JSON text with sorted keys and without spaces; numbers as they are written. */
export function canonical(text: string): string {
  return canonicalJson(parseJson(text));
}

/** docs/reference/parity.md, as the table says. */
export function parityPage({ behaviours, elsewhere }: BehaviourTable): string {
  const areas = [...new Set(behaviours.map(({ area }) => area))];
  const titles = { typescript: "TypeScript", python: "Python", ruby: "Ruby" } as const;
  const sections = areas.flatMap((area) => {
    const rows = behaviours.filter((behaviour) => behaviour.area === area);
    const notes = rows.flatMap(({ name, differs = {} }) =>
      LANGUAGES.flatMap((language) => {
        const difference = differs[language];
        if (difference === undefined) return [];
        const { result, error, state } = difference.expect;
        const instead = result ?? String(error?.["error_type"] ?? state);
        return [`- *${name}*, ${titles[language]}: \`${instead}\`. ${difference.reason}`];
      }),
    );
    return [
      "",
      `## ${area[0]?.toUpperCase()}${area.slice(1)}`,
      "",
      "| | TypeScript | Python | Ruby |",
      "|---|---|---|---|",
      ...rows.map(({ name, differs }) => {
        const marks = LANGUAGES.map((language) => (differs?.[language] ? "differs" : "✓"));
        return `| ${name} | ${marks.join(" | ")} |`;
      }),
      ...(notes.length === 0 ? [] : ["", ...notes]),
    ];
  });
  return [
    "<!-- Written by scripts/parity-page.ts from test/conformance/behaviours.json. Do not edit. -->",
    "# Parity of the languages",
    "",
    "What a step does, whatever language its handler is written in. Every row is run in every language, through the real engine and bridge,",
    "by `test/integration/engine/parity.test.ts`; a difference is in the table with its reason, or fails the test.",
    ...sections,
    "",
    "## Tested elsewhere",
    "",
    ...elsewhere.map(({ area, name, tests }) => {
      const links = tests.map((path) => `[${path.split("/").at(-1)}](../../${path})`);
      return `- ${area}: ${name} (${links.join(", ")})`;
    }),
    "",
  ].join("\n");
}
