#!/usr/bin/env node
// Puts the files that the README shows into it, and the figures of the last `npm run bench -- --json <file>` when given:
//   node scripts/fill-readme.mjs [bench.json] [--check]
import { readFileSync, writeFileSync } from "node:fs";

const root = new URL("../", import.meta.url);
const readme = new URL("README.md", root);
const before = readFileSync(readme, "utf8");

let text = before.replace(
  /(<!-- file: (\S+) -->\n```(\w+)\n)[\s\S]*?(```\n)/g,
  (_, head, path, _language, tail) => `${head}${readFileSync(new URL(path, root), "utf8")}${tail}`,
);

const figures = process.argv.slice(2).find((argument) => argument.endsWith(".json"));
if (figures !== undefined) {
  const rows = JSON.parse(readFileSync(figures, "utf8"));
  const lines = rows.map(
    (row) =>
      `| \`${row.id}\` | ${row.median} ${row.unit} | ${row.min} – ${row.max} | ${row.target ?? ""} |`,
  );
  const table = ["| figure | median | range | to hold |", "|---|---|---|---|", ...lines].join("\n");
  text = text.replace(
    /<!-- numbers -->\n[\s\S]*?\nRepeat them/,
    `<!-- numbers -->\n${table}\n\nRepeat them`,
  );
}

if (process.argv.includes("--check")) {
  if (text !== before) {
    console.error(
      "README.md does not show its example files as they are; run node scripts/fill-readme.mjs",
    );
    process.exit(1);
  }
} else {
  writeFileSync(readme, text);
}
