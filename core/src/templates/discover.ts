import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../errors/index.js";
import { type TaskTemplate, templateKey } from "../model/index.js";
import type { Diagnostic } from "./diagnostics.js";
import { loadTemplateFile } from "./load-file.js";
import type { TemplateOptions } from "./read-context.js";

export interface DiscoveredTemplate {
  readonly file: string;
  readonly template: TaskTemplate;
}

export interface Discovery {
  /** One per identity: of two files with the same namespace, name and version the later wins. */
  readonly templates: readonly DiscoveredTemplate[];
  readonly diagnostics: readonly Diagnostic[];
  /** Every template file found, valid or not, sorted: what to watch for changes. */
  readonly files: readonly string[];
}

const MAX_FILES = 10_000;
const MAX_DEPTH = 32;

/** Loads every `.yaml` and `.yml` under a directory. A bad file is reported; the others still load. */
export async function discoverTemplates(
  directory: string,
  options: TemplateOptions = {},
): Promise<Discovery> {
  const diagnostics: Diagnostic[] = [];
  const walk = new TemplateWalk(diagnostics);
  await walk.visit(directory, 0);
  const files = walk.files.sort();

  const found = new Map<string, DiscoveredTemplate>();
  for (const file of files) {
    const parsed = await loadTemplateFile(file, options);
    diagnostics.push(...parsed.diagnostics);
    if (parsed.template === null) continue;
    const key = templateKey(parsed.template);
    const earlier = found.get(key);
    if (earlier !== undefined) {
      diagnostics.push(fileWarning(file, `replaces ${key} from ${earlier.file}`));
    }
    found.set(key, { file, template: parsed.template });
  }
  return { templates: [...found.values()], diagnostics, files };
}

/** Follows links, as mounted configuration is made of them, and visits no real directory twice. */
class TemplateWalk {
  readonly files: string[] = [];
  readonly #visited = new Set<string>();
  readonly #diagnostics: Diagnostic[];
  #isFull = false;

  constructor(diagnostics: Diagnostic[]) {
    this.#diagnostics = diagnostics;
  }

  async visit(directory: string, depth: number): Promise<void> {
    try {
      const real = await realpath(directory);
      if (this.#visited.has(real)) return;
      this.#visited.add(real);
      for (const name of (await readdir(directory)).sort()) {
        if (this.files.length === MAX_FILES) return this.#stopOnce(directory);
        await this.#entry(join(directory, name), name, depth);
      }
    } catch (error) {
      this.#diagnostics.push(fileWarning(directory, `cannot be read: ${messageOf(error)}`));
    }
  }

  #stopOnce(directory: string): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.#diagnostics.push(
      fileWarning(directory, `only the first ${MAX_FILES} template files are read`),
    );
  }

  async #entry(path: string, name: string, depth: number): Promise<void> {
    // A file that vanished since the listing, or a link to nowhere, is no template.
    const entry = await stat(path).catch(() => null);
    if (entry?.isDirectory() === true) {
      // Hidden folders hold a mount's older versions (`..data`) or an editor's copies.
      if (!name.startsWith(".") && depth < MAX_DEPTH) await this.visit(path, depth + 1);
    } else if (entry?.isFile() === true && /\.ya?ml$/.test(name) && !name.startsWith(".")) {
      this.files.push(path);
    }
  }
}

function fileWarning(file: string, message: string): Diagnostic {
  return { severity: "warning", file, line: 1, column: 1, path: "", message, hint: null };
}
