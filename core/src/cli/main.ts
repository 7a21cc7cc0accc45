#!/usr/bin/env node
import { basename } from "node:path";
import { runCli } from "./program.js";

const name = basename(process.argv[1] ?? "").startsWith("tasker-ctl") ? "tasker-ctl" : "tasker";
const code = await runCli(process.argv.slice(2), { name });
// A pipe may still hold what was printed; what a handler left running does not keep the command alive.
await Promise.all(
  [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((done) => stream.write("", () => done())),
  ),
);
process.exit(code);
