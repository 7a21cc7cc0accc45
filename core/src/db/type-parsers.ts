import pg from "pg";

const { builtins } = pg.types;
// Array types have no builtin names in the driver.
const INT8_ARRAY = 1016;
const TEXT_ARRAY = 1009;
const JSON_ARRAY = 199;
const JSONB_ARRAY = 3807;

type Parser = (value: string) => unknown;

const asText: Parser = (value) => value;
// The driver's types name scalar types only; its table has the arrays.
const textArray = pg.types.getTypeParser(TEXT_ARRAY as never) as Parser;

/**
 * How column values arrive. `bigint` stays exact; JSON stays text, because bodies are handed on unread and a parse would
 * round big integers; `timestamptz` is a `Date`; everything else as the driver does it.
 */
const PARSERS: ReadonlyMap<number, Parser> = new Map<number, Parser>([
  [builtins.INT8, BigInt],
  [INT8_ARRAY, (value) => (textArray(value) as (string | null)[]).map(bigintOrNull)],
  [builtins.JSON, asText],
  [builtins.JSONB, asText],
  [JSON_ARRAY, textArray],
  [JSONB_ARRAY, textArray],
]);

/** Belongs to the connections it is given to: the driver's global parsers, which a host program owns, stay as they are. */
export const typeParsers: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    (format === "binary" ? undefined : PARSERS.get(oid)) ??
    pg.types.getTypeParser(oid, format ?? "text")) as typeof pg.types.getTypeParser,
};

function bigintOrNull(value: string | null): bigint | null {
  return value === null ? null : BigInt(value);
}
