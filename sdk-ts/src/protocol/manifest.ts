/** What a handler process can run. */
export type HandlerManifest = NamedHandler | HandlerPattern;

/** A task template written in code: the shape of the YAML file, as JSON. Not checked here. */
export type DefinedTemplate = Readonly<Record<string, unknown>>;

/** The body of a `hello`. */
export interface Manifest {
  readonly handlers: readonly HandlerManifest[];
  readonly templates: readonly DefinedTemplate[];
}

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
 * Reads the list of handlers and templates; a string says what is wrong with it.
 * @param pools names that `hello` declared; a handler that names none runs in the first.
 */
export function readManifest(body: unknown, pools: readonly string[]): Manifest | string {
  if (!Array.isArray(body)) return "Expected the body of `hello` to be a list of handlers";
  const handlers: HandlerManifest[] = [];
  const templates: DefinedTemplate[] = [];
  for (const [index, entry] of body.entries()) {
    if (isRecord(entry) && isRecord(entry["template"])) {
      templates.push(entry["template"]);
      continue;
    }
    const handler = isRecord(entry) ? readHandler(entry, pools[0] ?? "default") : null;
    if (handler === null)
      return `Handler ${index} of \`hello\` needs \`callable\`, \`pattern\` or \`template\``;
    if (!pools.includes(handler.pool)) {
      return `Handler ${index} of \`hello\` is in pool \`${handler.pool}\`, which is not declared`;
    }
    handlers.push(handler);
  }
  return { handlers, templates };
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
