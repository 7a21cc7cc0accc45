import { chmod, mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createTestDatabase,
  type TestDatabase,
  useTestDatabase,
} from "../support/test-database.js";
import { type CliProject, chainTemplate, createCliProject, HANDLERS } from "./cli-support.js";

/** Forty mistakes that people make. Each message names the place and what to do, and the command ends with that code. */
const database = useTestDatabase();
let project: CliProject;
let stale: TestDatabase;
let empty: TestDatabase;
let occupant: Server;
let taken = "";

const NOBODY = "00000000-0000-7000-8000-000000000000";
const template = (steps: string, rest = ""): string =>
  `name: t\nnamespace_name: cli\nversion: 1.0.0\n${rest}steps:\n${steps}`;
const step = (name: string, more = ""): string =>
  `  - name: ${name}\n    handler: {callable: add}${more === "" ? "" : `\n    ${more}`}\n`;

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  [stale, empty] = await Promise.all([createTestDatabase(), createTestDatabase({ empty: true })]);
  await stale.pool.query("update tasker_core.schema_migrations set checksum = 'other'");
  occupant = createServer();
  await new Promise<void>((listening) => occupant.listen(0, "127.0.0.1", listening));
  taken = `127.0.0.1:${(occupant.address() as AddressInfo).port}`;
  await project.write({
    "handlers/all.ts": HANDLERS,
    "broken/handlers.ts": "export const add = ;\n",
    "none/readme.txt": "nothing here\n",
    "ok.yaml": chainTemplate("ok", ["add"]),
    "cycle.yaml": template(step("a", "dependencies: [b]") + step("b", "dependencies: [a]")),
    "unknown-parent.yaml": template(step("load") + step("b", "dependencies: [loads]")),
    "twice.yaml": template(step("a") + step("a")),
    "typo.yaml": template(step("a", "dependancies: []")),
    "no-callable.yaml": template("  - name: a\n    handler: {}\n"),
    "no-name.yaml": "namespace_name: cli\nversion: 1.0.0\nsteps: []\n",
    "tab.yaml": "name: t\n\tnamespace_name: cli\n",
    "steps-number.yaml": "name: t\nnamespace_name: cli\nversion: 1.0.0\nsteps: 7\n",
    "bad-backoff.yaml": template(step("a", "retry: {backoff: exponental}")),
    "config/tasks/one.yaml": chainTemplate("same", ["add"]),
    "config/tasks/two.yaml": chainTemplate("same", ["add", "done"]),
    "typo.toml": "[lease]\nlease_second = 5\n",
    "range.toml": "[pump]\n\nbatch_size = 0\n",
    "type.toml": '[retention]\nenabled = "yes"\n',
    "syntax.toml": "[lease\nlease_seconds = 5\n",
    "table.toml": "lease = 5\n",
    "token.toml": '[worker.join]\naddresses = ["unix:j.sock"]\ntoken_file = "token"\n',
    "no-token.toml": '[worker.join]\naddresses = ["unix:j.sock"]\ntoken_file = "short-token"\n',
    "open.toml": '[orchestration.web]\nbind_address = "0.0.0.0:0"\n',
    "python.toml": '[worker.python]\ncommand = ["python-that-is-not-there"]\n',
    "ruby.toml": '[worker.ruby]\ncommand = ["ruby-that-is-not-there"]\n',
    "py/handlers.py": "x = 1\n",
    "rb/some_handler.rb": "X = 1\n",
    "client/tasker-client.toml": '[orchestration]\nbase_url = "localhost:8080"\n',
    token: "0123456789012345678901234567890123456789",
    "short-token": "1234\n",
    "in-the-way": "a file, no folder\n",
  });
  await chmod(join(project.directory, "token"), 0o644);
  await chmod(join(project.directory, "short-token"), 0o600);
  await mkdir(join(project.directory, "tree"));
}, 60_000);
afterAll(async () => {
  occupant.close();
  await project.remove();
  await Promise.all([stale.drop(), empty.drop()]);
});

interface Mistake {
  readonly what: string;
  readonly args: readonly string[] | (() => readonly string[]);
  readonly env?: () => Record<string, string>;
  readonly code: number;
  /** Where it is. */
  readonly place: RegExp;
  /** What to do, or what was meant. */
  readonly fix: RegExp;
}

const VALIDATE = ["template", "validate"];
const CONFIG = ["config", "validate", "--strict", "-c"];
const RUN = ["run", "ok.yaml", "--wait"];

const MISTAKES: readonly Mistake[] = [
  // templates
  {
    what: "a cycle",
    args: [...VALIDATE, "cycle.yaml"],
    code: 1,
    place: /cycle\.yaml:\d+:\d+: error/,
    fix: /a.*b|cycle/,
  },
  {
    what: "a dependency that is misspelt",
    args: [...VALIDATE, "unknown-parent.yaml"],
    code: 1,
    place: /unknown-parent\.yaml:\d+:\d+: error: .*loads/,
    fix: /did you mean `load`/,
  },
  {
    what: "a step twice",
    args: [...VALIDATE, "twice.yaml"],
    code: 1,
    place: /twice\.yaml:\d+:\d+: error/,
    fix: /`a`/,
  },
  {
    what: "a key that is misspelt",
    args: [...VALIDATE, "--strict", "typo.yaml"],
    code: 1,
    place: /typo\.yaml:7:5: error: .*dependancies/,
    fix: /dependencies/,
  },
  {
    what: "a step without callable",
    args: [...VALIDATE, "no-callable.yaml"],
    code: 1,
    place: /no-callable\.yaml:\d+:\d+: error/,
    fix: /callable/,
  },
  {
    what: "a template without name",
    args: [...VALIDATE, "no-name.yaml"],
    code: 1,
    place: /no-name\.yaml:\d+:\d+: error/,
    fix: /name/,
  },
  {
    what: "a tab in YAML",
    args: [...VALIDATE, "tab.yaml"],
    code: 1,
    place: /tab\.yaml:2:\d+: error/,
    fix: /tab/i,
  },
  {
    what: "steps that are no list",
    args: [...VALIDATE, "steps-number.yaml"],
    code: 1,
    place: /steps-number\.yaml:4:8: error/,
    fix: /list/,
  },
  {
    what: "a backoff that is misspelt",
    args: [...VALIDATE, "bad-backoff.yaml"],
    code: 1,
    place: /bad-backoff\.yaml:7:\d+: error/,
    fix: /exponential/,
  },
  {
    what: "a version twice",
    args: [...VALIDATE, "--strict", "config/tasks"],
    code: 1,
    place: /two\.yaml:1:1: error: replaces cli\/same\/1\.0\.0/,
    fix: /from .*one\.yaml/,
  },
  {
    what: "a template file that is not there",
    args: ["run", "nowhere.yaml"],
    code: 2,
    place: /nowhere\.yaml/,
    fix: /read|exist|no such/i,
  },
  {
    what: "a step to generate that is not there",
    args: ["generate", "handler", "-t", "ok.yaml", "-l", "python", "-s", "step_00"],
    code: 2,
    place: /`step_00`/,
    fix: /did you mean `step_0`/,
  },
  // configuration
  {
    what: "a configuration key that is misspelt",
    args: [...CONFIG, "typo.toml"],
    code: 1,
    place: /typo\.toml:2:1: error: .*lease\.lease_second/,
    fix: /did you mean `lease_seconds`/,
  },
  {
    what: "a value out of range",
    args: [...CONFIG, "range.toml"],
    code: 1,
    place: /range\.toml:3:1: error: .*pump\.batch_size/,
    fix: /an integer from 1 to 1000, got `0`/,
  },
  {
    what: "a value of another type",
    args: [...CONFIG, "type.toml"],
    code: 1,
    place: /type\.toml:2:1/,
    fix: /true or false/,
  },
  {
    what: "TOML that is not closed",
    args: [...CONFIG, "syntax.toml"],
    code: 1,
    place: /syntax\.toml:1:\d+/,
    fix: /not valid TOML/,
  },
  {
    what: "a value where a table belongs",
    args: [...CONFIG, "table.toml"],
    code: 1,
    place: /table\.toml:1:1/,
    fix: /a table/,
  },
  {
    what: "a configuration file that is not there",
    args: ["task", "list", "-c", "nowhere.toml"],
    code: 2,
    place: /nowhere\.toml does not exist/,
    fix: /TASKER_CONFIG_PATH or --config/,
  },
  {
    what: "a variable with a value that is not allowed",
    args: ["config", "show"],
    env: () => ({ TASKER_ENV: "prodction" }),
    code: 2,
    place: /TASKER_ENV/,
    fix: /production/,
  },
  {
    what: "an unknown environment",
    args: ["config", "generate", "-c", "complete", "-e", "test", "-o", "x.toml", "-s", "tree"],
    code: 2,
    place: /tree has no folder `base`/,
    fix: /--source-dir/,
  },
  {
    what: "a key to explain that is misspelt",
    args: ["config", "explain", "lease.lease_secs"],
    code: 2,
    place: /lease\.lease_secs/,
    fix: /did you mean `lease\.lease_seconds`/,
  },
  // database
  {
    what: "Postgres that is down",
    args: ["task", "list"],
    env: () => ({ DATABASE_URL: "postgresql://x@127.0.0.1:9/x" }),
    code: 3,
    place: /127\.0\.0\.1:9/,
    fix: /Check DATABASE_URL/,
  },
  {
    what: "a DSN of another scheme",
    args: ["task", "list"],
    env: () => ({ DATABASE_URL: "mysql://x@127.0.0.1/x" }),
    code: 2,
    place: /DATABASE_URL/,
    fix: /postgresql:/,
  },
  {
    what: "a database that does not exist",
    args: ["task", "list"],
    env: () => ({ DATABASE_URL: database.url.replace(/\/[^/?]*(\?|$)/, "/not_there$1") }),
    code: 3,
    place: /not_there/,
    fix: /Check DATABASE_URL/,
  },
  {
    what: "a host that does not resolve",
    args: ["task", "list"],
    env: () => ({ DATABASE_URL: "postgresql://x@db.invalid/x" }),
    code: 3,
    place: /db\.invalid/,
    fix: /Check DATABASE_URL/,
  },
  {
    what: "no schema yet",
    args: ["task", "list"],
    env: () => ({ DATABASE_URL: empty.url }),
    code: 3,
    place: /schema|migration/i,
    fix: /tasker db migrate/,
  },
  {
    what: "a migration with another text",
    args: ["db", "migrate"],
    env: () => ({ DATABASE_URL: stale.url }),
    code: 3,
    place: /000001/,
    fix: /restore|another|different|changed/i,
  },
  // processes and files
  {
    what: "a port in use",
    args: ["server"],
    env: () => ({ TASKER_WEB_BIND_ADDRESS: taken }),
    code: 2,
    place: /127\.0\.0\.1:\d+/,
    fix: /bind_address|TASKER_WEB_BIND_ADDRESS/,
  },
  {
    what: "an open address without authentication",
    args: ["server", "-c", "open.toml"],
    code: 2,
    place: /0\.0\.0\.0|bind_address/,
    fix: /auth/,
  },
  {
    what: "Python that is missing",
    args: [...RUN, "-c", "python.toml", "--python", "py"],
    code: 3,
    place: /python-that-is-not-there/,
    fix: /worker\.python\.command|install/i,
  },
  {
    what: "Ruby that is missing",
    args: [...RUN, "-c", "ruby.toml", "--ruby", "rb"],
    code: 3,
    place: /ruby-that-is-not-there/,
    fix: /worker\.ruby\.command|install/i,
  },
  {
    what: "a handler folder that is not there",
    args: [...RUN, "--ts", "nowhere"],
    code: 2,
    place: /nowhere/,
    fix: /command line/,
  },
  {
    what: "a folder without handlers",
    args: [...RUN, "--handlers", "none"],
    code: 2,
    place: /--handlers none/,
    fix: /TypeScript, Python or Ruby/,
  },
  {
    what: "a handler file with a syntax error",
    args: [...RUN, "--ts", "broken"],
    code: 2,
    place: /broken\/handlers\.ts/,
    fix: /1:\d+|Unexpected|Expression|;/,
  },
  {
    what: "a token file that others can read",
    args: ["worker", "-c", "token.toml"],
    code: 2,
    place: /token/,
    fix: /chmod|600|only its owner|readable/i,
  },
  {
    what: "a token that anybody could guess",
    args: ["worker", "-c", "no-token.toml"],
    code: 2,
    place: /short-token/,
    fix: /at least 16 characters/,
  },
  {
    what: "an output that cannot be written",
    args: ["template", "graph", "ok.yaml", "-o", "in-the-way/x.mmd"],
    code: 2,
    place: /in-the-way\/x\.mmd/,
    fix: /cannot be written/,
  },
  // the command line
  {
    what: "a command that is misspelt",
    args: ["taks", "list"],
    code: 2,
    place: /unknown command 'taks'/,
    fix: /Did you mean task/,
  },
  {
    what: "an option that is misspelt",
    args: ["task", "list", "--statsu", "complete"],
    code: 2,
    place: /--statsu/,
    fix: /Did you mean --status/,
  },
  {
    what: "a state that is misspelt",
    args: ["task", "list", "-s", "completed_"],
    code: 2,
    place: /`completed_`/,
    fix: /expected one of .*complete/,
  },
  {
    what: "input that is no JSON",
    args: ["task", "create", "--name", "ok", "-i", "{n: 1}"],
    code: 2,
    place: /--input/,
    fix: /offset \d+|JSON/,
  },
  {
    what: "a task that does not exist",
    args: ["task", "explain", NOBODY],
    code: 1,
    place: new RegExp(NOBODY),
    fix: /in this database/,
  },
  {
    what: "a server that is not there",
    args: ["task", "get", NOBODY, "--server", "http://127.0.0.1:9"],
    code: 3,
    place: /http:\/\/127\.0\.0\.1:9/,
    fix: /tasker server/,
  },
  {
    what: "a server that is no URL",
    args: ["task", "list", "--server", "localhost:8080"],
    code: 2,
    place: /orchestration\.base_url/,
    fix: /an http\(s\) URL/,
  },
  {
    what: "a project in the way of another",
    args: ["init", ".", "--no-install", "--languages", "pyton"],
    code: 2,
    place: /`pyton`/,
    fix: /did you mean `python`/,
  },
];

describe.concurrent("a mistake and its message", () => {
  it.each(MISTAKES)(
    "$what",
    async ({ args, env, code, place, fix }) => {
      const given = typeof args === "function" ? args() : args;
      const result = await project.start(given, { env: env?.() ?? {} }).result;
      const said = `${result.stdout}${result.stderr}`;
      expect(said).toMatch(place);
      expect(said).toMatch(fix);
      expect({ code: result.code, said }).toMatchObject({ code });
      // Nobody has to read a stack.
      expect(said).not.toMatch(/^\s+at .*\(.*:\d+:\d+\)/m);
      expect(said).not.toContain("nobody foresaw");
    },
    120_000,
  );
});

it("there are forty of them at least", () => {
  expect(MISTAKES.length).toBeGreaterThanOrEqual(40);
});
