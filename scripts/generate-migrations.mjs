#!/usr/bin/env node
// Writes sql/migrations as a module, because a published package carries no sql/ folder.
//
//   node scripts/generate-migrations.mjs           writes core/src/db/generated/migrations.ts
//   node scripts/generate-migrations.mjs --check   exits 1 when that file is not up to date
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { register } from "tsx/esm/api";

register();
const root = new URL("../", import.meta.url);
const { readMigrations } = await import(new URL("core/src/db/migrations.ts", root).href);
const { renderMigrations } = await import(new URL("core/src/db/render-migrations.ts", root).href);

const target = fileURLToPath(new URL("core/src/db/generated/migrations.ts", root));
const text = renderMigrations(await readMigrations(fileURLToPath(new URL("sql/migrations", root))));
const present = await readFile(target, "utf8").catch(() => "");
const isCurrent = present.replaceAll("\r\n", "\n") === text;

if (isCurrent) {
  console.log(`${target} is up to date`);
} else if (process.argv.includes("--check")) {
  console.error(`${target} is out of date: run node scripts/generate-migrations.mjs`);
  process.exitCode = 1;
} else {
  await writeFile(target, text);
  console.log(`${target} written`);
}
