// Runs the suites one after the other, shows the log of those that fail, and closes with `N passed, N failed`.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { leftovers } from "./leftovers.mjs";
import { runLogged } from "./run-logged.mjs";
import { SUITES } from "./suites.mjs";

const OUTPUT = ".tasker/test";
/** A hanging suite must not cost the others their time: CI has 25 minutes for all. */
const TIME_LIMIT_MS = 6 * 60_000;

const names = process.argv.slice(2);
const unknown = names.filter((name) => !SUITES.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(
    `No suite ${unknown.join(", ")}; there are: ${SUITES.map((s) => s.name).join(" ")}`,
  );
  process.exit(2);
}

// Every process of this run inherits the mark, which is how those that outlive it are found.
const mark = `${process.pid}.${Date.now()}`;
process.env.TASKER_TEST_RUN = mark;
rmSync(OUTPUT, { recursive: true, force: true });
mkdirSync(OUTPUT, { recursive: true });

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => interrupted.abort(signal));
}

const treeBefore = workingTree();
let passed = 0;
let failed = 0;
for (const suite of SUITES.filter(({ name }) => names.length === 0 || names.includes(name))) {
  if (interrupted.signal.aborted) break;
  await runSuite(suite);
}
judge("no process left", await leftovers(mark));
judge(
  "working tree unchanged",
  workingTree().filter((line) => !treeBefore.includes(line)),
);

if (interrupted.signal.aborted) console.log(`\nInterrupted by ${interrupted.signal.reason}.`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || interrupted.signal.aborted ? 1 : 0;

async function runSuite({ name, command, cwd, count, timeLimitMs = TIME_LIMIT_MS }) {
  const started = performance.now();
  const report = `${process.cwd()}/${OUTPUT}/${name}.report`;
  const run = await runLogged(command(report), {
    cwd,
    log: `${OUTPUT}/${name}.log`,
    timeLimitMs,
    signal: interrupted.signal,
  });
  const counts = count({ ...run, report });
  // A runner that ends badly without naming a test has failed all the same.
  if (run.exitCode !== 0 && counts.failed === 0) counts.failed = 1;
  passed += counts.passed;
  failed += counts.failed;

  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  const sign = counts.failed === 0 ? "✔" : "✘";
  const numbers = `${counts.passed} passed, ${counts.failed} failed${skipped}`;
  if (counts.failed > 0) console.log(`\n${run.output.trimEnd()}\n`);
  console.log(`${sign} ${name.padEnd(12)} ${numbers} (${seconds} s)${run.remark}`);
}

/** A check of the run itself; without problems it says nothing. */
function judge(what, problems) {
  if (problems.length === 0) passed += 1;
  else {
    failed += 1;
    console.log(`✘ ${what}:\n${problems.map((problem) => `    ${problem}`).join("\n")}`);
  }
}

function workingTree() {
  try {
    const options = { encoding: "utf8", stdio: "pipe" };
    return execFileSync("git", ["status", "--porcelain"], options).trimEnd().split("\n");
  } catch {
    return []; // not a checkout, or one of another user: nothing to compare
  }
}
