import { variableProblem } from "./allowed-variables.js";
import type { ConfigProblem } from "./problem.js";

export type Environment = Readonly<Record<string, string | undefined>>;

const PLACEHOLDER = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}\n]*))?\}/g;

export interface Interpolated {
  readonly text: string;
  readonly errors: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Replaces `${VAR}` and `${VAR:-default}` in TOML text. A set variable is used even when it is empty; an
 * unset one without default stays as it is written, with a warning. Values are escaped for TOML strings,
 * so lines keep their numbers.
 */
export function interpolate(text: string, file: string, env: Environment): Interpolated {
  const errors: ConfigProblem[] = [];
  const warnings: ConfigProblem[] = [];
  const lines = text.split("\n").map((line, index) => {
    if (line.trimStart().startsWith("#")) return line;
    return line.replace(
      PLACEHOLDER,
      (whole, name: string, fallback: string | undefined, at: number) => {
        const report = (list: ConfigProblem[], message: string): void => {
          list.push({ file, line: index + 1, column: at + 1, message });
        };
        // Own variables only: `${toString}` must not find a method of the object.
        const value = Object.hasOwn(env, name) ? env[name] : undefined;
        if (value === undefined) {
          if (fallback === undefined)
            report(warnings, `${whole} is left as it is: ${name} is not set`);
          return fallback === undefined ? whole : escapeToml(fallback);
        }
        const problem = variableProblem(name, value);
        if (problem !== null) report(errors, problem);
        return escapeToml(value);
      },
    );
  });
  return { text: lines.join("\n"), errors, warnings };
}

function escapeToml(value: string): string {
  return JSON.stringify(value).slice(1, -1).replaceAll("\u007f", "\\u007f");
}
