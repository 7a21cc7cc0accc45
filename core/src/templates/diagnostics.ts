export type Severity = "error" | "warning";

/** One finding in one file. `line` and `column` count from 1; `path` is like `steps[2].retry.backoff`. */
export interface Diagnostic {
  readonly severity: Severity;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  /** What to write instead, or null. */
  readonly hint: string | null;
}

/** `file:line:column: error: message (hint)`, the form editors and CI annotate. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, severity, message, hint } = diagnostic;
  return `${file}:${line}:${column}: ${severity}: ${message}${hint === null ? "" : ` (${hint})`}`;
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === "error");
}
