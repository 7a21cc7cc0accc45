import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readMigrations } from "../../core/src/db/index.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "tasker-migration-files-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function read(files: Record<string, string>) {
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  return readMigrations(dir);
}

describe("migration files", () => {
  it("are read in order, with what their first line says", async () => {
    const migrations = await read({
      "000002_more_words.sql": "-- breaking: steps lose a column\nselect 2;\n",
      "000001.sql": "-- compatible\nselect 1;\n",
      "000003.sql": "-- compatible (no transaction)\nselect 3;\n",
      "README.md": "not a migration",
    });
    expect(migrations.map(({ sql, checksum, ...rest }) => rest)).toEqual([
      { version: 1, name: "000001", breaking: null, transactional: true },
      {
        version: 2,
        name: "000002_more_words",
        breaking: "steps lose a column",
        transactional: true,
      },
      { version: 3, name: "000003", breaking: null, transactional: false },
    ]);
  });

  it("have the same checksum whatever the line endings and a byte order mark", async () => {
    const [unix] = await read({ "000001.sql": "-- compatible\nselect 1;\n" });
    const [windows] = await read({ "000001.sql": "\uFEFF-- compatible\r\nselect 1;\r\n" });
    const [edited] = await read({ "000001.sql": "-- compatible\nselect  1;\n" });
    expect(windows).toEqual(unix);
    expect(edited?.checksum).not.toBe(unix?.checksum);
  });

  it.each([
    [
      "a first line that says nothing",
      { "000001.sql": "select 1;\n" },
      /000001\.sql: expected the first line/,
    ],
    ["breaking without a reason", { "000001.sql": "-- breaking:\nselect 1;\n" }, /first line/],
    ["an unknown name", { "1.sql": "-- compatible\n" }, /1\.sql: expected a name like/],
    [
      "a gap",
      { "000001.sql": "-- compatible\n", "000003.sql": "-- compatible\n" },
      /000003\.sql: expected version 2/,
    ],
    [
      "a double",
      { "000001.sql": "-- compatible\n", "000001_x.sql": "-- compatible\n" },
      /000001_x\.sql: expected version 2/,
    ],
  ])("are refused: %s", async (_, files, message) => {
    await expect(read(files)).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringMatching(message),
    });
  });
});
