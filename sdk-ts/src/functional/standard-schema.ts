/**
 * The Standard Schema interface (https://standardschema.dev), types only. Zod 4, Valibot, ArkType and others
 * implement it, so a validation library stays the user's own choice.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a value must be before the schema reads it. */
export type SchemaInput<S> = S extends StandardSchema<infer Input, unknown> ? Input : never;
/** What the schema makes of it. */
export type SchemaOutput<S> = S extends StandardSchema<unknown, infer Output> ? Output : never;

export interface FieldIssue {
  /** `items.0.price`; empty for the value as a whole. */
  readonly path: string;
  readonly message: string;
}

export type Validation =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: readonly FieldIssue[] };

/** Many issues say little more than a few: the rest is counted. */
const MAX_ISSUES = 20;

export async function validate(schema: StandardSchema, value: unknown): Promise<Validation> {
  const answer = schema["~standard"].validate(value);
  const result = answer instanceof Promise ? await answer : answer;
  if (result.issues === undefined) return { ok: true, value: result.value };
  return { ok: false, issues: result.issues.slice(0, MAX_ISSUES).map(fieldIssue) };
}

/** `total: expected number, received string; items.0.sku: required`. */
export function describeIssues(issues: readonly FieldIssue[]): string {
  return issues
    .map((issue) => (issue.path === "" ? issue.message : `${issue.path}: ${issue.message}`))
    .join("; ");
}

function fieldIssue(issue: StandardIssue): FieldIssue {
  const keys = (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part));
  return { path: keys.join("."), message: issue.message };
}
