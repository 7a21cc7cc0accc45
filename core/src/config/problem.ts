/** One thing wrong with the configuration. `line` and `column` count from 1; null when there is no place. */
export interface ConfigProblem {
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
}

/** `file:line:column: message`, as far as the place is known. */
export function formatProblem({ file, line, column, message }: ConfigProblem): string {
  const place = [file, line, column].filter((part) => part !== null).join(":");
  return place === "" ? message : `${place}: ${message}`;
}
