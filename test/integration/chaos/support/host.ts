/**
 * A host of Python and Ruby processes, as a process of its own, for tests that kill it. Starts a task of deaf steps, and
 * says as one line of JSON which handler processes it has once they run.
 */
import { fileURLToPath } from "node:url";
import { startTestEngine } from "../../../support/test-engine.js";
import { waitFor } from "../../../support/wait-for.js";

const [databaseUrl = "", marker = ""] = process.argv.slice(2);
const languages = ["python", "ruby"] as const;
const host = await startTestEngine({
  databaseUrl,
  templates: {
    deaf: languages.map((name) => ({ name, callable: `chaos.${name}_deaf` })),
  },
  languages,
  handlerFolders: Object.fromEntries(
    languages.map((name) => [name, fileURLToPath(new URL(`../handlers/${name}`, import.meta.url))]),
  ),
});
await host.create("deaf", { ms: 60_000, marker });
await waitFor(
  () =>
    host.engine.worker.languages.every(({ supervisor }) => supervisor?.metrics().inFlight !== 0),
  { timeoutMs: 30_000 },
);
process.stdout.write(`${JSON.stringify(languages.flatMap((name) => host.pids(name)))}\n`);
