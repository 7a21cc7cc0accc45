import { describeDatabase } from "../open-database.js";
import type { RunningEngine } from "../start-engine.js";
import { type Palette, printable } from "../terminal.js";

/** What runs, for the start of `tasker dev`: the same words as text and as JSON. */
export interface StartSummary {
  /** Without password. */
  readonly database: string;
  readonly namespaces: readonly string[];
  /** `namespace/name version`. */
  readonly templates: readonly string[];
  readonly languages: readonly LanguageSummary[];
  /** Where the HTTP APIs serve. */
  readonly api: readonly string[];
  /** Where handler processes can join, as `TASKER_BRIDGE` names it. */
  readonly join: readonly string[];
  /** Callables of templates that nothing here runs. */
  readonly unserved: readonly string[];
  /** Handlers that were left out, and why. */
  readonly problems: readonly string[];
}

export interface LanguageSummary {
  readonly language: string;
  readonly handlers: readonly string[];
  readonly processes: number;
  /** Steps at a time, over all processes. */
  readonly concurrency: number;
}

export function summarize(running: RunningEngine): StartSummary {
  const { engine, database } = running;
  const registered = engine.templates.registered();
  const callables = [
    ...new Set(registered.flatMap(({ steps }) => steps.map((step) => step.callable))),
  ];
  const servedBy = (language: string): string[] =>
    callables.filter((callable) => engine.worker.pools.poolOf(callable)?.channel.pool === language);
  return {
    database: describeDatabase(database),
    namespaces: [...new Set(registered.map(({ namespace }) => namespace))].sort(),
    templates: registered
      .map(({ namespace, name, version }) => `${namespace}/${name} ${version}`)
      .sort(),
    languages: engine.worker.languages.map(({ language, concurrency }) => ({
      language,
      // Other processes' handlers are known by what the templates ask for.
      handlers: language === "typescript" ? running.typescriptHandlers : servedBy(language),
      processes: running.bridges.find((bridge) => bridge.language === language)?.processes ?? 0,
      concurrency,
    })),
    api: running.apis,
    join: engine.worker.joinAddresses,
    unserved: engine.worker.unservedCallables(),
    problems: running.handlerProblems.map(({ message }) => message),
  };
}

export function renderBanner(summary: StartSummary, palette: Palette): string {
  const line = (label: string, text: string): string =>
    `  ${palette.dim(label.padEnd(11))} ${text}`;
  const lines = [
    palette.bold("Tasker is running"),
    line("database", summary.database),
    line("namespaces", list(summary.namespaces, "none")),
    line(
      "templates",
      list(summary.templates, "none: put YAML files into config/tasks, or use --templates"),
    ),
    ...summary.languages.map((language) =>
      line(
        language.language,
        `${list(language.handlers, "no handler of a template")} ${palette.dim(capacity(language))}`,
      ),
    ),
    ...(summary.api.length === 0 ? [] : [line("api", list(summary.api, "none"))]),
    ...(summary.join.length === 0 ? [] : [line("join", list(summary.join, "nowhere"))]),
    ...(summary.languages.length === 0 && summary.join.length === 0
      ? [line("handlers", "none: use --handlers")]
      : []),
    ...summary.unserved.map((callable) =>
      line(
        palette.yellow("warning"),
        `no handler here answers to \`${printable(callable)}\`; its steps wait for another worker`,
      ),
    ),
    ...summary.problems.map((problem) => line(palette.red("left out"), printable(problem))),
    palette.dim("  Ctrl-C stops."),
  ];
  return lines.join("\n");
}

const MAX_LISTED = 12;

function list(items: readonly string[], none: string): string {
  if (items.length === 0) return none;
  const shown = items.slice(0, MAX_LISTED).map(printable).join(", ");
  return items.length > MAX_LISTED ? `${shown} and ${items.length - MAX_LISTED} more` : shown;
}

function capacity({ processes, concurrency }: LanguageSummary): string {
  const steps = `${concurrency} at a time`;
  if (processes === 0) return `(in this process, ${steps})`;
  return processes === 1 ? `(1 process, ${steps})` : `(${processes} processes, ${steps})`;
}
