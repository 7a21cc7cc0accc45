import { register } from "node:module";

/** Package name, or `name/entry`, to the URL of the module that stands in for it. */
export type PackageFallbacks = Readonly<Record<string, string>>;

// Runs in Node's hook thread, which has no access to this module: hence a text, and hence data that clones.
const HOOK = `
let fallbacks = {};
export function initialize(data) { fallbacks = data; }
export async function resolve(specifier, context, next) {
  const url = fallbacks[specifier];
  if (url === undefined) return next(specifier, context);
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error?.code !== "ERR_MODULE_NOT_FOUND") throw error;
    return next(url, context);
  }
}`;

/**
 * Lets handler files import packages their project has not installed: the worker's own SDK, also under the name
 * that existing handlers use. What the project has wins. Node offers no way to take import hooks back: install
 * once per process.
 */
export function installPackageFallbacks(fallbacks: PackageFallbacks): void {
  register(`data:text/javascript,${encodeURIComponent(HOOK)}`, { data: { ...fallbacks } });
}
