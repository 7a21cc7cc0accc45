#!/usr/bin/env node
// Until the first release there is one migration: the files of sql/schema in order. Run after changing them.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const directory = new URL("../sql/schema/", import.meta.url);
const parts = readdirSync(directory)
  .filter((name) => name.endsWith(".sql"))
  .sort()
  .map((name) => `-- ${name}\n${readFileSync(new URL(name, directory), "utf8").trim()}\n`);
const target = new URL("../sql/migrations/000001.sql", import.meta.url);
writeFileSync(
  target,
  `-- compatible\n-- Generated from sql/schema by scripts/schema-to-migration.mjs until the first release.\n\n${parts.join("\n")}`,
);
