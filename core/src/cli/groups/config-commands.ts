import { type Command, Option } from "commander";
import { type Bind, group } from "./command-line.js";

const CONTEXTS = ["common", "orchestration", "worker", "complete"];
const SOURCE = ["-s, --source-dir <folder>", "the source tree", "config/tasker"] as const;

function context(): Option {
  return new Option("-t, --context <context>", "which part of the configuration").choices(CONTEXTS);
}

/** Of the commands whose `-c` is the context. */
function contextFirst(): Option {
  return new Option("-c, --context <context>", "which part of the configuration").choices(CONTEXTS);
}

/** Configuration and database. */
export function addConfigCommands(program: Command, action: Bind): void {
  const config = group(program, "config", "check, explain and merge the configuration");
  config
    .command("validate")
    .description("list everything that is wrong, as file:line:column: message")
    .option("-c, --config <file>", "a merged file; default: what a server would read here")
    .addOption(context())
    .option("--strict", "unknown keys and other warnings are errors")
    .option("--explain-errors", "say what each key is for")
    .action(action(async () => (await import("../commands/config-validate.js")).configValidate));
  config
    .command("validate-sources")
    .description("the same for a source tree, as it would be merged")
    .addOption(contextFirst().makeOptionMandatory())
    .requiredOption("-e, --environment <name>", "whose overlay is merged over the base")
    .option(...SOURCE)
    .option("--strict", "unknown keys and other warnings are errors")
    .option("--explain-errors", "say what each key is for")
    .action(action(async () => (await import("../commands/config-validate.js")).validateSources));
  config
    .command("show")
    .description("the configuration in force, with where each value comes from; secrets redacted")
    .argument("[key]", "only this key or table")
    .option("--client", "the client configuration instead")
    .action(action(async () => (await import("../commands/config-show.js")).configShow));
  config
    .command("explain")
    .description("what a key is for, what it accepts, its default and its value here")
    .argument("[key]", "such as lease.lease_seconds; without: all keys")
    .option("-p, --parameter <key>", "the same")
    .addOption(contextFirst())
    .option("-e, --environment <name>", "read the value for this environment")
    .action(action(async () => (await import("../commands/config-explain.js")).configExplain));
  config
    .command("generate")
    .description("merge a source tree into one file, with its placeholders kept")
    .addOption(contextFirst().makeOptionMandatory())
    .requiredOption("-e, --environment <name>", "whose overlay is merged over the base")
    .requiredOption("-o, --output <file>", "where to write it")
    .option(...SOURCE)
    .option("--validate", "refuse to write what could not be used")
    .action(action(async () => (await import("../commands/config-generate.js")).configGenerate));
  config
    .command("dump")
    .description("a merged configuration as JSON, TOML or YAML; secrets redacted")
    .addOption(contextFirst())
    .option("-e, --environment <name>", "whose overlay is merged over the base")
    .option(...SOURCE)
    .option("--path <file>", "a merged file instead of a source tree")
    .addOption(
      new Option("-f, --format <format>", "of the answer")
        .choices(["json", "toml", "yaml"])
        .default("json"),
    )
    .action(action(async () => (await import("../commands/config-generate.js")).configDump));

  const db = group(program, "db", "the database schema");
  db.command("migrate")
    .description("bring the schema up to date")
    .action(action(async () => (await import("../commands/db-migrate.js")).dbMigrate));
  db.command("status")
    .description("which migrations are applied, and which are missing; exit code 1 when some are")
    .action(action(async () => (await import("../commands/db-status.js")).dbStatus));
}
