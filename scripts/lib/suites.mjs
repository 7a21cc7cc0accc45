import { existsSync, readFileSync } from "node:fs";

const bin = (name) => `node_modules/.bin/${name}`;
const root = process.cwd();

/**
 * Everything `scripts/test` runs, cheapest first. `command` gets the path of the report it may write; `count` reads
 * how many tests passed, failed and were skipped.
 */
export const SUITES = [
  check("style", [bin("biome"), "check", "--error-on-warnings", "."]),
  check("types", ["npm", "run", "--silent", "check:types"]),
  check("deps", ["node", "scripts/check-deps.mjs"]),
  vitest("unit"),
  {
    name: "python",
    cwd: "python-bridge",
    command: (report) => [
      `${root}/.tasker/venv/bin/python`,
      ...["-B", "-m", "pytest", "-p", "no:cacheprovider", `--junitxml=${report}`],
    ],
    count: countJunit,
  },
  {
    name: "ruby",
    cwd: "ruby-bridge",
    command: () => ["ruby", "-Ilib", "-Itest", "test/run.rb"],
    count: countMinitest,
  },
  { ...vitest("database"), timeLimitMs: 14 * 60_000 },
  check("demo", ["scripts/demo"]),
];

/** A command that is right or wrong as a whole. */
function check(name, words) {
  const count = ({ exitCode }) => ({
    passed: exitCode === 0 ? 1 : 0,
    failed: exitCode === 0 ? 0 : 1,
  });
  return { name, command: () => words, count };
}

function vitest(project) {
  const command = (report) => [
    ...[bin("vitest"), "run", "--project", project],
    ...["--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
  ];
  return { name: project, command, count: countVitest };
}

function countVitest({ report }) {
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const found = JSON.parse(readFileSync(report, "utf8"));
  // A file that cannot be imported has no tests to fail.
  const broken = found.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  );
  return {
    passed: found.numPassedTests,
    failed: found.numFailedTests + broken.length,
    skipped: found.numPendingTests + found.numTodoTests,
  };
}

function countJunit({ report }) {
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const [head = ""] = readFileSync(report, "utf8").match(/<testsuite [^>]*>/) ?? [];
  const number = (name) => Number(head.match(new RegExp(` ${name}="(\\d+)"`))?.[1] ?? 0);
  const failed = number("failures") + number("errors");
  const skipped = number("skipped");
  return { passed: number("tests") - failed - skipped, failed, skipped };
}

/** `12 runs, 40 assertions, 0 failures, 0 errors, 0 skips` */
function countMinitest({ output }) {
  const summary = /(\d+) runs, \d+ assertions, (\d+) failures, (\d+) errors, (\d+) skips/.exec(
    output,
  );
  if (summary === null) return { passed: 0, failed: 1, skipped: 0 };
  const [runs, failures, errors, skipped] = summary.slice(1).map(Number);
  return { passed: runs - failures - errors - skipped, failed: failures + errors, skipped };
}
