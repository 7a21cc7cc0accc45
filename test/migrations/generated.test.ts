import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { MIGRATIONS, type Migration, readMigrations } from "../../core/src/db/index.js";
import { parseMigration } from "../../core/src/db/migrations.js";

// Names and checksums only: a difference in the text would print thousands of lines.
const summary = ({ name, checksum, breaking, transactional }: Migration) => ({
  name,
  checksum,
  breaking,
  transactional,
});

it("the generated module is sql/migrations (else run node scripts/generate-migrations.mjs)", async () => {
  const files = await readMigrations(
    fileURLToPath(new URL("../../sql/migrations", import.meta.url)),
  );
  expect(MIGRATIONS.map(summary)).toEqual(files.map(summary));
});

it("its texts have the checksums beside them", () => {
  const parsed = MIGRATIONS.map(({ name, sql }) => parseMigration(`${name}.sql`, sql));
  expect(parsed.map(summary)).toEqual(MIGRATIONS.map(summary));
});
