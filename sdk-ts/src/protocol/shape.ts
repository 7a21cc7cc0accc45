/** What a field must look like; the part of JSON Schema that the message schemas use. */
export type FieldShape =
  | { readonly is: "string"; readonly min?: number; readonly max?: number }
  | { readonly is: "integer" | "number"; readonly min?: number; readonly max?: number }
  | { readonly is: "boolean" }
  | { readonly is: "word"; readonly words: readonly string[] }
  | { readonly is: "array"; readonly max: number; readonly items: FieldShape }
  | { readonly is: "map"; readonly values: FieldShape }
  | { readonly is: "object"; readonly fields: readonly FieldRow[] };

/** Name, whether it is required, shape. */
export type FieldRow = readonly [string, boolean, FieldShape];

export interface HeaderShape {
  readonly direction: "host_to_handler" | "handler_to_host" | "both";
  readonly hasBody: boolean;
  readonly fields: readonly FieldRow[];
}
