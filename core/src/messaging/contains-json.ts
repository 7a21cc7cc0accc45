/** Postgres' `whole @> part` for JSON values. */
export function containsJson(whole: unknown, part: unknown): boolean {
  if (Array.isArray(part)) {
    return (
      Array.isArray(whole) &&
      part.every((wanted) => whole.some((element) => containsJson(element, wanted)))
    );
  }
  if (isObject(part)) {
    return (
      isObject(whole) &&
      Object.entries(part).every(
        ([key, wanted]) => Object.hasOwn(whole, key) && containsJson(whole[key], wanted),
      )
    );
  }
  return whole === part;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
