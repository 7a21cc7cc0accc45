import type { LoadedConfig } from "../../config/index.js";
import { assertSchemaUsable, createPool } from "../../db/index.js";
import { findTemplateDirectory, hasErrors, templateOptions } from "../../templates/index.js";
import { bridgeLanguages, handlerPaths } from "../../worker/bridge-languages.js";
import { joinOptions } from "../../worker/join-options.js";
import type { CommandContext } from "../command-context.js";
import { loadCommandConfig } from "../command-context.js";
import { describeError } from "../describe-error.js";
import { EXIT } from "../exit-codes.js";
import { readTemplatePath } from "../load-templates.js";
import { checkDurability, describeDatabase, openDatabase } from "../open-database.js";
import { portProblem } from "../port-check.js";
import { packageVersion } from "../version.js";

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly text: string;
}

/** `tasker doctor`: everything a project needs, with what to do about what is missing; exit code 1 when something is. */
export async function doctor(context: CommandContext): Promise<number> {
  const { output } = context;
  const checks: Check[] = [];
  const check = async (name: string, look: () => Promise<string>): Promise<boolean> => {
    const found = await look().then(
      (text) => ({ name, ok: true, text }),
      (error: unknown) => ({ name, ok: false, text: describeError(error).message }),
    );
    checks.push(found);
    const mark = found.ok ? output.palette.green("✓") : output.palette.red("✗");
    output.print(`${mark} ${name}: ${found.text}`);
    return found.ok;
  };
  await check("tasker", async () => `${packageVersion()} on Node ${process.version}`);
  let loaded: LoadedConfig | null = null;
  await check("configuration", async () => {
    loaded = loadCommandConfig(context);
    const { sources, warnings } = loaded;
    const read = sources.length === 0 ? "built-in defaults" : sources.join(", ");
    return warnings.length === 0 ? read : `${read}, ${warnings.length} warnings above`;
  });
  if (loaded !== null) await checkParts(context, loaded, check);
  const failed = checks.filter(({ ok }) => !ok).length;
  output.print(
    failed === 0 ? "Everything is in order." : `${failed} of ${checks.length} checks failed.`,
  );
  output.json({ ok: failed === 0, checks });
  return failed === 0 ? EXIT.ok : EXIT.failed;
}

async function checkParts(
  context: CommandContext,
  loaded: LoadedConfig,
  check: (name: string, look: () => Promise<string>) => Promise<boolean>,
): Promise<void> {
  const { config, env } = loaded;
  const { workingDirectory } = context;
  await check("database", () => checkDatabase(context, loaded));
  await check("port", async () => {
    const { enabled, bind_address: address } = config.orchestration.web;
    if (!enabled) return "orchestration.web is switched off";
    const problem = await portProblem(address, "orchestration.web.bind_address");
    if (problem !== null) throw problem;
    return `${address} is free`;
  });
  await check("templates", () => checkTemplates(context, loaded));
  const anywhere = { python: [workingDirectory], ruby: [workingDirectory] };
  const used = handlerPaths({ config, env, workingDirectory });
  for (const language of ["python", "ruby"] as const) {
    const paths = { python: [], ruby: [], [language]: anywhere[language] };
    await check(language, async () => {
      const [found] = await bridgeLanguages({ config, paths, env, workingDirectory });
      const uses =
        used[language].length === 0 ? "no handlers configured" : used[language].join(", ");
      return `${found?.command ?? language} has the bridge (${uses})`;
    });
  }
  if (config.worker.join.addresses.length > 0) {
    await check("joining", async () => {
      await joinOptions(config, workingDirectory);
      return config.worker.join.addresses.join(", ");
    });
  }
}

async function checkDatabase(context: CommandContext, loaded: LoadedConfig): Promise<string> {
  const database = await openDatabase(context, loaded, { create: false });
  const pool = createPool({ url: database.url, max: 1, applicationName: "tasker-doctor" });
  try {
    await assertSchemaUsable(pool);
    await checkDurability(context, loaded, pool);
    return describeDatabase(database);
  } finally {
    await pool.close();
    await database.close();
  }
}

async function checkTemplates(
  { env, workingDirectory }: CommandContext,
  loaded: LoadedConfig,
): Promise<string> {
  const folder = findTemplateDirectory({ ...env, ...loaded.env }, workingDirectory);
  if (folder === null) return "no folder of templates; they go into config/tasks";
  const { templates, diagnostics } = await readTemplatePath(folder, templateOptions(loaded.config));
  if (!hasErrors(diagnostics)) return `${templates.length} in ${folder}`;
  throw new Error(`some are not valid: run \`tasker template validate ${folder}\``);
}
