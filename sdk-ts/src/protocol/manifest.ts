/** What a handler process can run, from the body of its `hello`. */
export type HandlerManifest = NamedHandler | HandlerPattern;

export interface NamedHandler {
  readonly callable: string;
  readonly methods: readonly string[];
  /** `step`, `decision`, `batch_analyzer`, `batch_worker`, ...: a hint, the template decides. */
  readonly kind: string;
  readonly pool: string;
  readonly version: string | null;
  readonly timeoutMs: number | null;
  /** JSON Schema of the handler's inputs, or null. */
  readonly inputSchema: Readonly<Record<string, unknown>> | null;
}

/** Classes that the process finds by name, such as `Payments::*`. */
export interface HandlerPattern {
  readonly pattern: string;
  readonly pool: string;
}

/**
 * Reads the list of handlers; a string says what is wrong with it.
 * @param pools names that `hello` declared; a handler that names none runs in the first.
 */
export function readManifest(body: unknown, pools: readonly string[]): HandlerManifest[] | string {
  if (!Array.isArray(body)) return "Expected the body of `hello` to be a list of handlers";
  const handlers: HandlerManifest[] = [];
  for (const [index, entry] of body.entries()) {
    const handler = isRecord(entry) ? readHandler(entry, pools[0] ?? "default") : null;
    if (handler === null) return `Handler ${index} of \`hello\` needs \`callable\` or \`pattern\``;
    if (!pools.includes(handler.pool)) {
      return `Handler ${index} of \`hello\` is in pool \`${handler.pool}\`, which is not declared`;
    }
    handlers.push(handler);
  }
  return handlers;
}

function readHandler(
  entry: Readonly<Record<string, unknown>>,
  firstPool: string,
): HandlerManifest | null {
  const pool = text(entry["pool"]) ?? firstPool;
  const pattern = text(entry["pattern"]);
  if (pattern !== null) return { pattern, pool };
  const callable = text(entry["callable"]);
  if (callable === null) return null;
  const { methods, timeout_ms: timeoutMs, input_schema: inputSchema } = entry;
  return {
    callable,
    pool,
    methods: Array.isArray(methods) ? methods.filter((name) => typeof name === "string") : [],
    kind: text(entry["kind"]) ?? "step",
    version: text(entry["version"]),
    timeoutMs: typeof timeoutMs === "number" && timeoutMs > 0 ? timeoutMs : null,
    inputSchema: isRecord(inputSchema) ? inputSchema : null,
  };
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
