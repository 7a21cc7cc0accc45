/**
 * Compares the names of the contract with what this package exports and what its tests use.
 *
 *     node --conditions=@tasker-core/source --import tsx sdk-ts/test/contract-coverage.ts
 *
 * prints the table; exit code 1 when a name is missing. The names are in test/conformance/contract/typescript.json. A member
 * is written `.static`, `#instance` or `KEY`, with `=value` where the contract gives one. Types are checked by the compiler, in
 * contract-types.test.ts; here they need a test that names them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

interface Row {
  readonly section: string;
  readonly name: string;
  /** Module below src/, without ending. */
  readonly entry: string;
  readonly type: boolean;
  readonly members: readonly string[];
  readonly reason: string | null;
}

export interface Line {
  readonly name: string;
  readonly members: number;
  readonly problems: readonly string[];
  readonly reason: string | null;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const MEMBER = /^([.#]?)(\w+)(?:=(.*))?$/;

export async function lines(): Promise<Line[]> {
  const file = join(root, "test", "conformance", "contract", "typescript.json");
  const { rows } = JSON.parse(readFileSync(file, "utf8")) as { rows: Row[] };
  const words = wordsOfTests();
  return await Promise.all(rows.map((row) => lineOf(row, words)));
}

export function table(found: readonly Line[]): string {
  const width = Math.max(...found.map(({ name }) => name.length));
  const out = found.map(({ name, members, problems, reason }) => {
    const note = reason === null ? problems.join("; ") || "ok" : `left out: ${reason}`;
    return `${name.padEnd(width)}  ${String(members).padStart(4)}  ${note}`;
  });
  const total = found.reduce((sum, { members }) => sum + members + 1, 0);
  const excused = found.filter(({ reason }) => reason !== null);
  const left = excused.reduce((sum, { members }) => sum + members + 1, 0);
  const problems = found.flatMap(({ problems, reason }) =>
    reason === null ? problems : [],
  ).length;
  out.push(
    `${found.length} rows, ${total} names: ${total - left - problems} present and used by a test, ${left} left out with a reason, ${problems} problems`,
  );
  return out.join("\n");
}

async function lineOf(row: Row, words: ReadonlySet<string>): Promise<Line> {
  const problems: string[] = [];
  if (!row.type) {
    const path = join(root, "sdk-ts", "src", `${row.entry}.ts`);
    const exports = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
    if (!(row.name in exports)) problems.push(`${row.entry} does not export it`);
    else problems.push(...row.members.flatMap((member) => problemOf(exports[row.name], member)));
  }
  // A member whose value is compared here has its test.
  const bare = row.members.filter((member) => !member.includes("="));
  for (const word of [row.name, ...bare.map((member) => MEMBER.exec(member)?.[2] ?? "")]) {
    if (!words.has(word)) problems.push(`no test uses \`${word}\``);
  }
  const label = row.entry === "index" ? row.name : `${row.entry} ${row.name}`;
  return { name: label, members: row.members.length, problems, reason: row.reason };
}

function problemOf(target: unknown, member: string): string[] {
  const [, kind, name = "", value] = MEMBER.exec(member) ?? [];
  const owner = target as Record<string, unknown> & { readonly prototype?: object };
  if (kind === "#") return isInstanceMember(owner, name) ? [] : [`\`${name}\` is missing`];
  if (!(name in owner)) return [`\`${name}\` is missing`];
  if (value === undefined) return [];
  const found = JSON.stringify(owner[name])?.replaceAll('"', "'");
  return found === value ? [] : [`\`${name}\` is ${found}, not ${value}`];
}

/** A method or getter of the class or its ancestors, else a field that one of them declares. */
function isInstanceMember(owner: { readonly prototype?: object }, name: string): boolean {
  if (owner.prototype === undefined) return false;
  if (name in owner.prototype) return true;
  for (let type: unknown = owner; typeof type === "function"; type = Object.getPrototypeOf(type)) {
    if (new RegExp(`\\b${name}\\b`).test(String(type))) return true;
  }
  return false;
}

function wordsOfTests(): Set<string> {
  const files = ["sdk-ts/test", "core/test/bridge", "test/integration"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.endsWith("contract-coverage.ts"))
      .map((file) => join(root, folder, file)),
  );
  const text = files.map((file) => readFileSync(file, "utf8")).join("\n");
  return new Set(text.match(/\w+/g));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = await lines();
  process.stdout.write(`${table(found)}\n`);
  process.exitCode = found.some(({ problems, reason }) => reason === null && problems.length > 0)
    ? 1
    : 0;
}
