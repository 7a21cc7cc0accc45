import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseError } from "../errors/index.js";

/** One file of `sql/migrations`. */
export interface Migration {
  readonly version: number;
  /** File name without `.sql`. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the text with `\n` line endings, in hex. */
  readonly checksum: string;
  /** Why older processes must not run on this schema, or `null` when they may. */
  readonly breaking: string | null;
  /** False for a file with one statement that Postgres refuses inside a transaction. */
  readonly transactional: boolean;
}

const FILE_NAME = /^(\d{6})(?:_[a-z0-9_]+)?\.sql$/;
const HEADER = /^-- (?:(compatible)|breaking: (\S.*?))( \(no transaction\))?$/;

/**
 * Reads `000001.sql`, `000002_words.sql` ... in order.
 *
 * @throws DatabaseError `MIGRATION_FAILED` for a misnamed file, a gap, or a first line that is not
 * `-- compatible` or `-- breaking: why`, each optionally followed by ` (no transaction)`.
 */
export async function readMigrations(dir: string): Promise<Migration[]> {
  const files = (await readdir(dir)).filter((name) => name.endsWith(".sql")).sort();
  const migrations: Migration[] = [];
  for (const file of files) {
    const migration = parseMigration(file, await readFile(join(dir, file), "utf8"));
    if (migration.version !== migrations.length + 1) {
      throw malformed(
        file,
        `expected version ${migrations.length + 1} next: versions have no gaps and no doubles`,
      );
    }
    migrations.push(migration);
  }
  return migrations;
}

export function parseMigration(file: string, text: string): Migration {
  const version = FILE_NAME.exec(file)?.[1];
  if (version === undefined)
    throw malformed(file, "expected a name like 000001.sql or 000001_words.sql");
  // A checkout on Windows must not look like an edited migration.
  const sql = text.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
  const firstLine = sql
    .slice(0, sql.indexOf("\n") === -1 ? undefined : sql.indexOf("\n"))
    .trimEnd();
  const header = HEADER.exec(firstLine);
  if (header === null) {
    throw malformed(
      file,
      `expected the first line \`-- compatible\` or \`-- breaking: why\`, got \`${firstLine}\``,
    );
  }
  return {
    version: Number(version),
    name: file.slice(0, -".sql".length),
    sql,
    checksum: createHash("sha256").update(sql).digest("hex"),
    breaking: header[2] ?? null,
    transactional: header[3] === undefined,
  };
}

function malformed(file: string, problem: string): DatabaseError {
  return new DatabaseError("MIGRATION_FAILED", `Migration file ${file}: ${problem}.`, {
    context: { file },
  });
}
