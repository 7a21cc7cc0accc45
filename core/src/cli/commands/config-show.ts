import { configKeys, writeToml } from "../../config/index.js";
import { isTable, type PlainTable } from "../../lib/deep-merge.js";
import { nearestName } from "../../lib/nearest-name.js";
import { Secret } from "../../lib/secret.js";
import { CliError } from "../cli-error.js";
import { loadClientConfig } from "../client/client-config.js";
import { usesServer } from "../client/open-api.js";
import type { CommandContext } from "../command-context.js";
import { loadCommandConfig } from "../command-context.js";
import { EXIT } from "../exit-codes.js";

/** `tasker config show`: what is in force here. `tasker-ctl config show`, or `--client`: the client's. */
export async function configShow(
  context: CommandContext,
  { client = false }: { readonly client?: boolean },
  [key]: readonly string[],
): Promise<number> {
  const { output } = context;
  const { value, sources } =
    client || context.isCtl || usesServer(context) ? ofClient(context) : ofServer(context);
  const shown = redacted(key === undefined ? value : memberOf(value, key));
  output.json(key === undefined ? { sources, config: shown } : { key, value: shown });
  if (key !== undefined && !isTable(shown)) output.print(JSON.stringify(shown));
  else {
    const read = sources.length === 0 ? "built-in defaults" : sources.join(", ");
    output.print(output.palette.dim(`# ${read}`));
    output.print(writeToml(shown as PlainTable).trimEnd());
  }
  return EXIT.ok;
}

interface Shown {
  readonly value: PlainTable;
  readonly sources: readonly string[];
}

function ofServer(context: CommandContext): Shown {
  const { config, sources } = loadCommandConfig(context);
  return { value: config as unknown as PlainTable, sources };
}

function ofClient({ env, workingDirectory, global, isCtl }: CommandContext): Shown {
  const file = isCtl ? global.config : undefined;
  const { server, profile } = global;
  const loaded = loadClientConfig({ env, workingDirectory, file, profile, server });
  return {
    value: loaded.config as unknown as PlainTable,
    sources: loaded.file === null ? [] : [loaded.file],
  };
}

function memberOf(root: PlainTable, path: string): unknown {
  let value: unknown = root;
  for (const key of path.split(".")) {
    if (!isTable(value) || !Object.hasOwn(value, key)) throw unknownKey(path);
    value = value[key];
  }
  return value;
}

export function unknownKey(path: string): CliError {
  const near = nearestName(
    path,
    configKeys().map((key) => key.path),
  );
  const hint = near === null ? "" : ` (did you mean \`${near}\`?)`;
  const message = `There is no configuration key \`${path}\`${hint}: \`tasker config explain\` lists all`;
  return new CliError("CONFIG_KEY_UNKNOWN", EXIT.usage, message);
}

/** Secrets as they print themselves; a database URL may hold a password. */
function redacted(value: unknown): unknown {
  if (value instanceof Secret) return value.isEmpty ? "" : value.toString();
  if (Array.isArray(value)) return value.map(redacted);
  if (!isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, redacted(member)]));
}
