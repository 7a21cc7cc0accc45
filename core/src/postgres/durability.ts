import { DatabaseError } from "../errors/index.js";
import { majorOf, SUPPORTED_MAJORS } from "./binaries.js";

/** The part of a connection or pool that the checks use. */
export interface SettingsReader {
  query<Row>(text: string): Promise<{ readonly rows: readonly Row[] }>;
}

export interface DurabilityOptions {
  /** Accept a server that loses or corrupts data when its machine crashes: for throw-away databases. */
  readonly allowUnsafe: boolean;
}

interface ServerSettings {
  readonly server_version: string;
  readonly fsync: string;
  readonly full_page_writes: string;
  readonly synchronous_commit: string;
}

/**
 * Checks that an accepted task survives a crash of the database's machine.
 *
 * @returns a warning to show at start, or `null`.
 * @throws DatabaseError `DATABASE_UNSAFE` for `fsync=off` or `full_page_writes=off` unless allowed, and for a server
 * version that is not supported.
 */
export async function assertDurable(
  database: SettingsReader,
  options: DurabilityOptions = { allowUnsafe: false },
): Promise<string | null> {
  const { rows } = await database.query<ServerSettings>(`
    select
      current_setting('server_version') as server_version,
      current_setting('fsync') as fsync,
      current_setting('full_page_writes') as full_page_writes,
      current_setting('synchronous_commit') as synchronous_commit`);
  const settings = rows[0];
  if (settings === undefined) throw new Error("current_setting returned no row");
  assertSupportedVersion(settings.server_version);
  return judgeDurability(settings, options);
}

export function assertSupportedVersion(version: string): void {
  const major = majorOf(version);
  if (major >= SUPPORTED_MAJORS.oldest && major <= SUPPORTED_MAJORS.newest) return;
  throw new DatabaseError(
    "DATABASE_UNSAFE",
    `Postgres ${version} is not supported: Tasker is tested on ${SUPPORTED_MAJORS.oldest} to ${SUPPORTED_MAJORS.newest}. Point DATABASE_URL at such a server.`,
    { context: { version } },
  );
}

/** The rule apart from the reading. Exported for tests: a test server cannot have every setting. */
export function judgeDurability(
  settings: Omit<ServerSettings, "server_version">,
  options: DurabilityOptions,
): string | null {
  const unsafe = (["fsync", "full_page_writes"] as const).filter(
    (name) => settings[name] === "off",
  );
  const names = unsafe.map((name) => `${name}=off`).join(" and ");
  if (unsafe.length > 0 && !options.allowUnsafe) {
    throw new DatabaseError(
      "DATABASE_UNSAFE",
      `The Postgres server runs with ${names}: a crash of its machine can destroy every task it holds. Turn it on, or allow it explicitly for a throw-away database.`,
      { context: { unsafe } },
    );
  }
  if (unsafe.length > 0)
    return `Postgres runs with ${names}: a crash of its machine can destroy the database.`;
  if (settings.synchronous_commit === "off") {
    return "Postgres runs with synchronous_commit=off: a crash of its machine loses what was accepted in the last moments (up to three times wal_writer_delay, normally 0.6 s), acknowledged tasks included. Nothing is corrupted.";
  }
  return null;
}
