import { loadTemplates, registerTemplate } from "../db/functions/index.js";
import type { Pool, Queryable } from "../db/index.js";
import { StateError } from "../errors/index.js";
import { newUuid } from "../lib/uuid.js";
import type { CompiledTemplate } from "../model/index.js";
import {
  type BackoffSettings,
  type RuntimeTemplate,
  registrationPayload,
  runtimeTemplate,
} from "./runtime-template.js";

const UNREGISTERED = { templateId: 0, namespaceId: 0, namedTaskUuid: "", namedStepUuids: [] };

/** Registered templates: what this process registered itself, and what it met in the database. */
export class TemplateRegistry {
  readonly #pool: Pool;
  readonly #byId = new Map<number, RuntimeTemplate>();
  readonly #byKey = new Map<string, RuntimeTemplate>();
  #firstLoadedAt: number | undefined;
  #hits = 0;
  #misses = 0;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /**
   * Registers or refreshes a template; tasks created from now on use this revision.
   * @throws StateError TEMPLATE_INVALID when one of its schemas cannot be compiled
   */
  async register(template: CompiledTemplate, backoff: BackoffSettings): Promise<RuntimeTemplate> {
    const payload = registrationPayload(template, backoff);
    // Reads its schemas: a broken one is refused before anything is stored.
    runtimeTemplate(payload, UNREGISTERED);
    const uuids = Array.from({ length: template.steps.length + 2 }, newUuid);
    const { templateId } = await registerTemplate(this.#pool, payload, uuids);
    const [loaded] = await this.#load([templateId]);
    if (loaded === undefined)
      throw new Error(`template ${template.key} vanished after registration`);
    this.#byKey.set(template.key, loaded);
    return loaded;
  }

  /** Namespaces of what this process registered: the queues it looks at. */
  namespaces(): ReadonlyMap<number, string> {
    return new Map([...this.#byKey.values()].map((t) => [t.namespaceId, t.namespace]));
  }

  registered(): RuntimeTemplate[] {
    return [...this.#byKey.values()];
  }

  /** Revisions in memory, and how often requests by name found theirs there. */
  cacheCounts(): { cached: number; hits: number; misses: number; oldestMs: number } {
    return {
      cached: this.#byId.size,
      hits: this.#hits,
      misses: this.#misses,
      oldestMs: this.#firstLoadedAt === undefined ? 0 : performance.now() - this.#firstLoadedAt,
    };
  }

  /** A revision already in memory, or undefined: then {@link ensure} has to fetch it. */
  get(templateId: number): RuntimeTemplate | undefined {
    return this.#byId.get(templateId);
  }

  /** Makes revisions available that other processes registered. */
  async ensure(templateIds: Iterable<number>): Promise<void> {
    const missing = [...new Set(templateIds)].filter((id) => !this.#byId.has(id));
    if (missing.length > 0) await this.#load(missing);
  }

  /**
   * The newest revision under a name.
   * @throws StateError TEMPLATE_NOT_FOUND naming what is registered under that name
   */
  async find(namespace: string, name: string, version: string): Promise<RuntimeTemplate> {
    const known = this.#byKey.get(`${namespace}/${name}/${version}`);
    if (known !== undefined) {
      this.#hits++;
      return known;
    }
    this.#misses++;
    const { rows } = await this.#pool.query<{ version: string; current_template_id: number }>(
      `select t.version, t.current_template_id from tasker_core.named_tasks t
       join tasker_core.namespaces n on n.namespace_id = t.namespace_id
       where n.name = $1 and t.name = $2 order by t.created_at`,
      [namespace, name],
    );
    const row = rows.find((candidate) => candidate.version === version);
    if (row === undefined) {
      const versions = rows.map((candidate) => candidate.version).join(", ");
      throw new StateError(
        "TEMPLATE_NOT_FOUND",
        rows.length === 0
          ? `No template \`${namespace}/${name}\` is registered. Load its YAML file first (tasker run <file>, or a template directory)`
          : `Template \`${namespace}/${name}\` has no version ${version}; registered: ${versions}`,
      );
    }
    await this.ensure([row.current_template_id]);
    return this.#byId.get(row.current_template_id) as RuntimeTemplate;
  }

  async #load(ids: readonly number[], db: Queryable = this.#pool): Promise<RuntimeTemplate[]> {
    const loaded = (await loadTemplates(db, ids)).map((row) =>
      runtimeTemplate(row.compiled, {
        templateId: row.template_id,
        namespaceId: row.namespace_id,
        namedTaskUuid: row.named_task_uuid,
        namedStepUuids: row.named_step_uuids,
      }),
    );
    this.#firstLoadedAt ??= performance.now();
    for (const template of loaded) this.#byId.set(template.templateId, template);
    return loaded;
  }
}
