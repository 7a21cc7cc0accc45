import { register as registerNodeHook } from "node:module";
import { register as registerRequire } from "tsx/cjs/api";
import { register as registerImport } from "tsx/esm/api";

/**
 * Package name, or `name/entry`, to the URL of the module that stands in where a project has not installed it:
 * the worker's own SDK, also under the name that existing handlers use. What the project has wins.
 */
export type PackageStandIns = Readonly<Record<string, string>>;

/** Imports TypeScript; open from the first import until no handler runs any more. */
export interface ImportHooks {
  import(url: string): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

// Keeps handler modules apart from the worker's own, and changed ones from what they were: tsx touches nothing outside
// its namespace, and a module is loaded once in each.
let namespaces = 0;

/** Node has no way to take such a hook back; it only adds what would fail without it. */
const installed = new Set<string>();

// Runs in Node's hook thread, which has no access to this module: hence a text, and hence data that clones.
// A folder without any package.json is somebody's first try. Its files count as ES modules here: Node would take
// them for CommonJS, whose `require` passes these hooks by.
const HOOK = `
import { existsSync } from "node:fs";
let standIns = {};
export function initialize(data) { standIns = data; }
export async function resolve(specifier, context, next) {
  const found = await resolveOrStandIn(specifier, context, next);
  const isScript = found.format !== "module" && /\\.[jt]s($|\\?)/.test(found.url);
  return isScript && !hasPackage(new URL(".", found.url)) ? { ...found, format: "module" } : found;
}
async function resolveOrStandIn(specifier, context, next) {
  const url = standIns[specifier];
  if (url === undefined) return next(specifier, context);
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error?.code !== "ERR_MODULE_NOT_FOUND") throw error;
    return next(url, context);
  }
}
function hasPackage(folder) {
  if (folder.protocol !== "file:" || existsSync(new URL("package.json", folder))) return true;
  const parent = new URL("..", folder);
  return parent.href === folder.href ? false : hasPackage(parent);
}`;

export function installImportHooks(standIns: PackageStandIns): ImportHooks {
  const namespace = `tasker-handlers-${namespaces++}`;
  const wanted = JSON.stringify(standIns);
  if (!installed.has(wanted)) {
    // Before tsx, so that tsx asks it: tsx goes by the format it is told.
    registerNodeHook(`data:text/javascript,${encodeURIComponent(HOOK)}`, { data: { ...standIns } });
    installed.add(wanted);
  }
  // Both kinds: without `"type": "module"` in its package.json a project's files are CommonJS.
  const require = registerRequire({ namespace });
  const esm = registerImport({ namespace });
  return {
    import: (url) => esm.import(url, import.meta.url) as Promise<Record<string, unknown>>,
    close: async () => {
      require.unregister();
      await esm.unregister();
    },
  };
}
