import { Command, CommanderError } from "commander";
import type { CommandContext, GlobalOptions } from "./command-context.js";
import { describeError } from "./describe-error.js";
import { EXIT } from "./exit-codes.js";
import { type Bind, globalsOf, withGlobals } from "./groups/command-line.js";
import { addConfigCommands } from "./groups/config-commands.js";
import { addLookCommands } from "./groups/look-commands.js";
import { addProjectCommands } from "./groups/project-commands.js";
import { addRunCommands } from "./groups/run-commands.js";
import { addTaskCommands } from "./groups/task-commands.js";
import { Output } from "./output.js";
import { packageVersion } from "./version.js";

export interface ProgramName {
  /** `tasker-ctl` speaks to servers only. */
  readonly name: "tasker" | "tasker-ctl";
}

/**
 * Runs one command line.
 * @returns the exit code; everything has been printed
 */
export async function runCli(
  argv: readonly string[],
  { name }: ProgramName = { name: "tasker" },
): Promise<number> {
  const output = new Output({
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    isJson: wantsJson(argv),
  });
  let exitCode: number = EXIT.ok;
  const program = buildProgram(output, name, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return commanderExit(error, output);
    const described = describeError(error);
    output.error(described, error);
    return described.exitCode;
  }
}

/** Known before the command line is parsed: what is wrong with it is told in the same form. */
function wantsJson(argv: readonly string[]): boolean {
  const isFormat = argv.includes("--format=json") || argv[argv.indexOf("--format") + 1] === "json";
  // These have a format of their own.
  const isOwn = argv.includes("dump") || argv.includes("visualize");
  return (
    argv.includes("--json") ||
    (argv.some((word) => word.startsWith("--format")) && isFormat && !isOwn)
  );
}

function buildProgram(output: Output, name: string, exit: (code: number) => void): Command {
  const program = new Command(name)
    .description("Workflows whose steps run in TypeScript, Python and Ruby, on Postgres")
    .version(packageVersion(), "--version")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.raw(text),
      // In JSON mode the message comes as an error object.
      writeErr: (text) => {
        if (!output.isJson) output.note(text.trimEnd());
      },
    })
    .showHelpAfterError("(add --help for what is possible)");

  const action: Bind =
    <Options>(
      load: () => Promise<
        (context: CommandContext, options: Options, args: readonly string[]) => Promise<number>
      >,
    ) =>
    async (...given: unknown[]): Promise<void> => {
      // commander passes the arguments, then the options, then the command.
      const command = given.at(-1) as Command;
      const run = await load();
      // What stands behind the command's name wins.
      const options = { ...command.optsWithGlobals(), ...ownOptions(command) } as GlobalOptions &
        Options;
      exit(await run(contextOf(output, globalsOf(options), name), options, command.args));
    };

  addRunCommands(program, action);
  addTaskCommands(program, action);
  addLookCommands(program, action);
  addConfigCommands(program, action);
  addProjectCommands(program, action);
  for (const command of [program, ...leaves(program)]) withGlobals(command);
  return program;
}

/** Options of the command itself, without its defaults. */
function ownOptions(command: Command): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(command.opts()).filter(([key]) => command.getOptionValueSource(key) === "cli"),
  );
}

/** Commands that do something; `worker` does, and has some below it. */
function leaves(command: Command): Command[] {
  return command.commands.flatMap((child) => [
    ...(child.commands.length === 0 || child.name() === "worker" ? [child] : []),
    ...leaves(child),
  ]);
}

function contextOf(output: Output, global: GlobalOptions, name: string): CommandContext {
  return {
    global,
    output,
    env: process.env,
    workingDirectory: process.cwd(),
    stdin: process.stdin,
    writeLog: (line) => process.stderr.write(line),
    isStderrTty: process.stderr.isTTY === true,
    isCtl: name === "tasker-ctl",
  };
}

/** Help and version are answers; everything else is a command line that cannot be used, already explained. */
function commanderExit(error: CommanderError, output: Output): number {
  if (error.exitCode === 0) return EXIT.ok;
  if (output.isJson) {
    const message = error.message.replace(/^error: /, "");
    output.json({ error: { code: "USAGE", message } });
  }
  return EXIT.usage;
}
