import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { complain } from "../stderr.js";
import { messageOf } from "../thrown.js";

type Exports = Record<string, unknown>;
type Import = (url: string) => Promise<Exports>;

/**
 * How this runtime imports handler files. Bun and Deno read TypeScript. Node does through the project's `tsx`, which also
 * finds `x.ts` behind an import of `x.js`; without it, Node reads JavaScript, and plain TypeScript where it can itself.
 */
export async function importer(): Promise<Import> {
  const plain: Import = (url) => import(url) as Promise<Exports>;
  const isNode = process.versions["bun"] === undefined && process.versions["deno"] === undefined;
  if (!isNode) return plain;
  const tsx = await findTsx();
  return tsx === null ? plain : (url) => tsx.tsImport(url, import.meta.url);
}

interface Tsx {
  tsImport(specifier: string, parent: string): Promise<Exports>;
}

async function findTsx(): Promise<Tsx | null> {
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      // `require` finds the CommonJS twin; the module beside it is the one to import.
      const path = createRequire(from)
        .resolve("tsx/esm/api")
        .replace(/\.cjs$/, ".mjs");
      const api = (await import(pathToFileURL(path).href)) as {
        register(options: { namespace: string }): {
          import(url: string, parent: string): Promise<Exports>;
        };
      };
      const scope = api.register({ namespace: `tasker-${Date.now()}` });
      return { tsImport: (url, parent) => scope.import(url, parent) };
    } catch (error) {
      if ((error as { code?: string }).code !== "MODULE_NOT_FOUND") {
        complain(`tasker-worker: tsx cannot be used: ${messageOf(error)}`);
        return null;
      }
    }
  }
  return null;
}
