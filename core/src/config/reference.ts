import { configKeys } from "./describe-keys.js";

const HEAD = `# Configuration keys

Generated from the schema; a test compares, \`npx vitest run --project unit core/test/config -u\` writes it anew. How files, environments and
variables are merged: [cli.md](cli.md). \`tasker config explain <key>\` shows one key with its value here.
`;

/** The text of docs/reference/config.md. */
export function configReference(): string {
  const tables = new Map<string, string[]>();
  for (const key of configKeys()) {
    const at = key.path.lastIndexOf(".");
    const table = at === -1 ? "" : key.path.slice(0, at);
    const notes = [key.note, key.variable === null ? null : `follows \`${key.variable}\``];
    const value = key.isSecret ? "secret" : `\`${JSON.stringify(key.default)}\``;
    const cells = [
      `\`${key.path.slice(at + 1)}\``,
      key.accepts,
      value,
      notes.filter((part) => part !== null).join("; "),
    ];
    const row = `| ${cells.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`;
    tables.set(table, [...(tables.get(table) ?? []), row]);
  }
  const sections = [...tables].map(([table, rows]) =>
    [`## \`[${table}]\``, "", "| key | accepts | default | |", "|---|---|---|---|", ...rows].join(
      "\n",
    ),
  );
  return `${HEAD}\n${sections.join("\n\n")}\n`;
}
