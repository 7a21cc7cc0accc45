import { processWide } from "../process-wide.js";
import { compareVersions, type TaskDefinition, type TaskInfo } from "./task-definition.js";

/** The tasks that this process defines in code. */
export class TaskRegistry {
  readonly #tasks = new Map<string, Map<string, TaskDefinition>>();

  /** The same version again replaces the one before: a reloaded file defines its tasks anew. */
  register(task: TaskDefinition): void {
    const versions = this.#tasks.get(task.key) ?? new Map<string, TaskDefinition>();
    versions.set(task.version, task);
    this.#tasks.set(task.key, versions);
  }

  /** `<namespace>/<name>`, sorted; of one namespace when it is named. */
  list(namespace?: string): string[] {
    const keys = [...this.#tasks.keys()].sort();
    return namespace === undefined ? keys : keys.filter((key) => key.startsWith(`${namespace}/`));
  }

  /** Sorted, oldest first. */
  versions(namespace: string, name: string): string[] {
    return [...(this.#tasks.get(`${namespace}/${name}`)?.keys() ?? [])].sort(compareVersions);
  }

  /** @throws Error naming what is registered */
  get(namespace: string, name: string, version?: string): TaskDefinition {
    const versions = this.#tasks.get(`${namespace}/${name}`);
    const wanted = version ?? this.versions(namespace, name).at(-1);
    const found = wanted === undefined ? undefined : versions?.get(wanted);
    if (found !== undefined) return found;
    const known =
      versions === undefined
        ? this.list().join(", ") || "none"
        : `versions ${this.versions(namespace, name).join(", ")}`;
    const which = version === undefined ? "" : ` ${version}`;
    throw new Error(`No task ${namespace}/${name}${which} is defined; there are: ${known}`);
  }

  /** Its highest version when none is named. @throws Error naming what is registered */
  info(namespace: string, name: string, version?: string): TaskInfo {
    return this.get(namespace, name, version).info;
  }

  /** Every version of every task. */
  get all(): TaskDefinition[] {
    return [...this.#tasks.values()].flatMap((versions) => [...versions.values()]);
  }

  /** For tests. */
  clear(): void {
    this.#tasks.clear();
  }
}

/** The one of this process, whichever copy of the package asks. */
export const registry: TaskRegistry = processWide("task-registry", () => new TaskRegistry());
