import { extname, resolve, sep } from "node:path";
import { type FSWatcher, watch } from "chokidar";

export type SourceKind = "typescript" | "python" | "ruby" | "templates";

export interface SourceWatcherOptions {
  /** Files and folders of each kind, absolute. */
  readonly paths: Readonly<Record<SourceKind, readonly string[]>>;
  /** Something of this kind was changed, added or removed. One call at a time for each kind; it reports its own failures. */
  readonly onChange: (kind: SourceKind, files: readonly string[]) => Promise<void>;
}

/** Editors write a file in several steps. */
const SETTLE_MS = 50;

const EXTENSIONS: Readonly<Record<SourceKind, RegExp>> = {
  typescript: /^\.[cm]?[jt]s$|^\.json$/,
  python: /^\.py$/,
  ruby: /^\.rb$/,
  templates: /^\.ya?ml$/,
};
const IGNORED = /(^|[/\\])(node_modules|__pycache__|\.[^/\\]+)([/\\]|$)/;

/** Tells of changed sources, once they have settled. */
export class SourceWatcher {
  readonly #options: SourceWatcherOptions;
  readonly #changed = new Map<SourceKind, Set<string>>();
  readonly #timers = new Map<SourceKind, NodeJS.Timeout>();
  readonly #running = new Map<SourceKind, Promise<void>>();
  #watcher: FSWatcher | undefined;

  constructor(options: SourceWatcherOptions) {
    this.#options = options;
  }

  /** Resolves when changes from now on are seen. */
  async start(): Promise<void> {
    const roots = [...new Set(Object.values(this.#options.paths).flat())];
    // A watcher of nothing would never say that it is ready.
    if (roots.length === 0) return;
    const watcher = watch(roots, {
      ignoreInitial: true,
      // Relative to a root: a project may lie below a folder with a dot.
      ignored: (path) => IGNORED.test(roots.reduce((rest, root) => rest.replace(root, ""), path)),
    });
    this.#watcher = watcher;
    watcher.on("all", (event, path) => {
      if (event === "add" || event === "change" || event === "unlink") this.#saw(resolve(path));
    });
    await new Promise<void>((settle) => watcher.once("ready", () => settle()));
  }

  async stop(): Promise<void> {
    await this.#watcher?.close();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await Promise.all(this.#running.values());
  }

  #saw(path: string): void {
    for (const kind of Object.keys(EXTENSIONS) as SourceKind[]) {
      if (!EXTENSIONS[kind].test(extname(path))) continue;
      const isOurs = this.#options.paths[kind].some(
        (root) => path === root || path.startsWith(root + sep),
      );
      if (!isOurs) continue;
      const files = this.#changed.get(kind) ?? new Set();
      this.#changed.set(kind, files.add(path));
      this.#wake(kind);
    }
  }

  #wake(kind: SourceKind): void {
    clearTimeout(this.#timers.get(kind));
    this.#timers.set(
      kind,
      setTimeout(() => this.#run(kind), SETTLE_MS),
    );
  }

  #run(kind: SourceKind): void {
    const files = this.#changed.get(kind);
    if (files === undefined || files.size === 0 || this.#running.has(kind)) return;
    this.#changed.delete(kind);
    const run = this.#options.onChange(kind, [...files]).finally(() => {
      this.#running.delete(kind);
      this.#run(kind); // what changed meanwhile
    });
    this.#running.set(kind, run);
  }
}
