import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Config, validateConfig } from "../../src/config/index.js";
import { bridgeLanguages, handlerPaths } from "../../src/worker/bridge-languages.js";

let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "tasker-languages-")));
  for (const name of ["a", "b"]) await mkdir(join(root, name));
});
afterEach(() => rm(root, { recursive: true, force: true }));

function configWith(worker: Record<string, unknown>): Config {
  const { config, errors } = validateConfig({ worker });
  if (config === null) throw new Error(JSON.stringify(errors));
  return config;
}

async function program(name: string, script: string): Promise<string> {
  const path = join(root, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

const languages = (config: Config, env: Record<string, string> = {}, language = "python") =>
  bridgeLanguages({
    config,
    env,
    workingDirectory: root,
    paths: { python: [], ruby: [], [language]: [join(root, "a")] },
  });

describe("handlerPaths", () => {
  const paths = (parts: { given?: string[]; configured?: string[]; variable?: string }) =>
    handlerPaths({
      config: configWith({ python: { handlers: parts.configured ?? [] } }),
      env: parts.variable === undefined ? {} : { PYTHON_HANDLER_PATH: parts.variable },
      workingDirectory: root,
      given: { python: parts.given ?? [] },
    }).python;

  it("takes the command line before the configuration before the variable", () => {
    expect(paths({ given: ["a"], configured: ["b"], variable: "b" })).toEqual([join(root, "a")]);
    expect(paths({ configured: ["a"], variable: "b" })).toEqual([join(root, "a")]);
    expect(paths({ variable: ["a", "b"].join(delimiter) })).toEqual([
      join(root, "a"),
      join(root, "b"),
    ]);
    expect(paths({})).toEqual([]);
  });

  it("names a path that does not exist and who wrote it", () => {
    expect(() => paths({ configured: ["gone"] })).toThrow(
      `The python handler path ${join(root, "gone")} (from worker.python.handlers) does not exist`,
    );
  });
});

describe("bridgeLanguages", () => {
  it("shows an interpreter without the package the one of this checkout", async () => {
    const [python] = await languages(configWith({}), { PYTHONPATH: "/mine" });
    expect(python).toMatchObject({ language: "python", command: "python3", cwd: root });
    expect(python?.args).toEqual([
      ...["-m", "tasker_core.bridge", "--handlers", join(root, "a")],
      ...["--slots", "64", "--pool", "python"],
    ]);
    expect(python?.env?.["PYTHONPATH"]).toMatch(/python-bridge\/src:\/mine$/);
    const [ruby] = await languages(configWith({ ruby: { slots: 3 } }), {}, "ruby");
    expect(ruby?.args[0]).toBe("-I");
    expect(ruby?.args.slice(-5)).toEqual([join(root, "a"), "--slots", "3", "--pool", "ruby"]);
  });

  it("leaves an interpreter alone that has the package", async () => {
    const command = await program("python-with-package", 'echo "3.12"; echo installed');
    const [python] = await languages(configWith({ python: { command: [command, "-X", "dev"] } }));
    expect(python?.command).toBe(command);
    expect(python?.args.slice(0, 4)).toEqual(["-X", "dev", "-m", "tasker_core.bridge"]);
    expect(python?.env?.["PYTHONPATH"]).toBeUndefined();
  });

  it("passes on what only .env sets", async () => {
    const [python] = await languages(configWith({}), {
      ...process.env,
      ONLY_IN_DOT_ENV: "7",
    } as Record<string, string>);
    expect(python?.env?.["ONLY_IN_DOT_ENV"]).toBe("7");
    expect(python?.env?.["PATH"]).toBeUndefined();
  });

  it.each([
    ["missing", null, /there is no program `.*missing`.*\[worker\.python\] command/],
    ["too old", 'echo "3.9"', /is Python 3\.9; handlers need 3\.10 or later/],
    ["broken", "echo 'bad build' >&2; exit 1", /cannot be used: bad build/],
  ])("says what is wrong with an interpreter that is %s", async (name, script, message) => {
    const command =
      script === null ? join(root, name) : await program(name.replace(" ", "-"), script);
    await expect(languages(configWith({ python: { command: [command] } }))).rejects.toMatchObject({
      code: "INTERPRETER_NOT_FOUND",
      message: expect.stringMatching(message),
    });
  });
});
