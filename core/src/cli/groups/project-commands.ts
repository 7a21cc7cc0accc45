import { type Command, Option } from "commander";
import { type Bind, collect, group } from "./command-line.js";

const LANGUAGES = ["typescript", "python", "ruby"];

/** What helps with a project: doctor, init, generate, profile, completion. */
export function addProjectCommands(program: Command, action: Bind): void {
  program
    .command("doctor")
    .description("check everything a project needs, and say what to do about what is missing")
    .action(action(async () => (await import("../commands/doctor.js")).doctor));
  program
    .command("init")
    .description("write a project that runs: a template, handlers in three languages, tests")
    .argument("[folder]", "where; default: the working directory", ".")
    .option("--languages <names>", "of typescript, python, ruby", "typescript,python,ruby")
    .option("--force", "overwrite files that are there")
    .option("--no-install", "do not run npm install")
    .option("--no-contrib", "accepted: nothing is fetched")
    .addOption(new Option("--core <spec>", "what npm is asked for").hideHelp())
    .addOption(new Option("--sdk <spec>", "what npm is asked for").hideHelp())
    .action(action(async () => (await import("../commands/init.js")).init));
  addGenerate(program, action);

  const profile = group(program, "profile", "servers that this client knows by name");
  const inFile = (name: string, description: string): Command =>
    profile.command(name).description(description);
  inFile("init", "write .config/tasker.toml with a default profile")
    .option("--force", "overwrite the file")
    .action(action(async () => (await import("../commands/profile.js")).profileInit));
  inFile("list", "the profiles there are").action(
    action(async () => (await import("../commands/profile.js")).profileList),
  );
  inFile("add", "add a profile to the file")
    .argument("<name>", "its name")
    .option("-d, --description <text>", "what it is for")
    .addOption(
      new Option("-t, --transport <transport>", "how to speak").choices(["rest"]).default("rest"),
    )
    .option("--orchestration-url <url>", "of its orchestration server")
    .option("--worker-url <url>", "of its worker server")
    .option("--tools <names>", "names, separated by commas")
    .action(action(async () => (await import("../commands/profile.js")).profileAdd));
  inFile("validate", "check every profile").action(
    action(async () => (await import("../commands/profile.js")).profileValidate),
  );
  inFile("show", "one profile as it is used, secrets redacted")
    .argument("<name>", "its name")
    .action(action(async () => (await import("../commands/profile.js")).profileShow));
  inFile("check", "ask the servers of a profile; exit code 1 unless all are healthy")
    .argument("[name]", "default: `default`")
    .option("--all", "of every profile")
    .action(action(async () => (await import("../commands/profile.js")).profileCheck));

  program
    .command("completion")
    .description("a completion script for a shell: source it from its start-up file")
    .addOption(new Option("--for <words>", "what may follow these words").hideHelp())
    .argument("[shell]", "bash, zsh or fish")
    .action(action(async () => (await import("../commands/completion.js")).completion(program)));
}

function addGenerate(program: Command, action: Bind): void {
  const generate = group(program, "generate", "code from a template");
  const from = (name: string, description: string): Command =>
    generate
      .command(name)
      .description(description)
      .requiredOption("-t, --template <file>", "template file")
      .addOption(
        new Option("-l, --language <language>", "of the code")
          .choices(LANGUAGES)
          .makeOptionMandatory(),
      );
  from("types", "types of the task's input and of the steps' results, from their schemas")
    .option("-o, --output <file>", "write to this file instead of stdout")
    .option("-s, --step <name>", "of this step only; may be repeated", collect, [])
    .action(action(async () => (await import("../commands/generate.js")).generateTypes));
  from("handler", "a handler for each step, to be filled in")
    .option("-o, --output <file>", "write to this file instead of stdout")
    .option("-s, --step <name>", "of this step only; may be repeated", collect, [])
    .option("--with-tests", "a test beside it; needs --output")
    .action(action(async () => (await import("../commands/generate.js")).generateHandler));
  from("scaffold", "types, handlers and tests in a folder")
    .option("-o, --output-dir <folder>", "where", ".")
    .action(action(async () => (await import("../commands/generate.js")).generateScaffold));
}
