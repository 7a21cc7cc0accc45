import {
  type DomainEventDeclaration,
  IDENTITY_STRATEGIES,
  type LifecycleConfig,
  STALENESS_ACTIONS,
  type TaskTemplate,
  type TemplateMetadata,
} from "../model/index.js";
import type { MapReader } from "./map-reader.js";
import { readEnvironments } from "./read-environments.js";
import { type ReadStep, readStep } from "./read-step.js";

const NAMESPACE = /^[A-Za-z0-9_]+$/;
// `worker_<namespace>_queue` must stay within PGMQ's 47 characters, with room for its table prefix.
const MAX_NAMESPACE = 29;
const SEMVER = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

const HINTS = {
  namespace: "write `namespace_name`",
  task_name: "write `name`",
  step_templates: "write `steps`",
  schema: "write `input_schema`",
};

/** Reads the whole template; checks that compare steps with each other come after (check-steps.ts). */
export function readTemplate(reader: MapReader): { template: TaskTemplate; steps: ReadStep[] } {
  const name = reader.requiredText("name", { columnWidth: 64 });
  const namespace_name = readNamespace(reader);
  const version = readVersion(reader);
  const steps = reader.mapList("steps").map(readStep);
  const stepNames = new Set(steps.map((step) => step.definition.name));
  const template: TaskTemplate = {
    name,
    namespace_name,
    version,
    description: reader.text("description"),
    metadata: readMetadata(reader.map("metadata")),
    system_dependencies: readSystemDependencies(reader.map("system_dependencies")),
    domain_events: reader.mapList("domain_events").map(readDomainEvent),
    input_schema: reader.jsonObject("input_schema"),
    steps: steps.map((step) => step.definition),
    environments: readEnvironments(reader, stepNames),
    lifecycle: readLifecycle(reader.map("lifecycle")),
    identity_strategy: reader.choice("identity_strategy", IDENTITY_STRATEGIES) ?? "strict",
  };
  for (const key of ["default_context", "default_options"]) {
    if (reader.map(key) !== null) {
      reader.ctx.unknownKey(
        reader.keyOffset(key),
        key,
        `\`${key}\` has no effect in a YAML template`,
        null,
      );
    }
  }
  reader.reportUnknownKeys(HINTS);
  return { template, steps };
}

function readNamespace(reader: MapReader): string {
  const namespace = reader.requiredText("namespace_name");
  const report = (message: string, hint: string): void =>
    reader.ctx.error(reader.valueOffset("namespace_name"), "namespace_name", message, hint);
  if (namespace !== "" && !NAMESPACE.test(namespace)) {
    const suggestion = namespace.replace(/[^A-Za-z0-9_]+/g, "_");
    report(
      `the namespace \`${namespace}\` may only have letters, digits and underscores`,
      `for example \`${suggestion}\`; it names the queue \`worker_<namespace>_queue\``,
    );
  }
  if (namespace.length > MAX_NAMESPACE) {
    report(
      `the namespace has ${namespace.length} characters, more than ${MAX_NAMESPACE}`,
      "queue names are limited to 47 characters",
    );
  }
  return namespace;
}

function readVersion(reader: MapReader): string {
  const version = reader.requiredText("version", { columnWidth: 16 });
  if (version !== "" && !SEMVER.test(version)) {
    const hint = /^\d+(?:\.\d+)?$/.test(version)
      ? `for example \`${version}${".0".repeat(3 - version.split(".").length)}\``
      : "for example `1.0.0`";
    const message = `the version \`${version}\` is not of the form x.y.z`;
    reader.ctx.beyondDeclared(reader.valueOffset("version"), "version", message, hint);
  }
  return version;
}

function readMetadata(reader: MapReader | null): TemplateMetadata | null {
  if (reader === null) return null;
  const metadata: TemplateMetadata = {
    author: reader.text("author"),
    tags: reader.textList("tags").map((tag) => tag.text),
    documentation_url: reader.text("documentation_url"),
    created_at: readTimestamp(reader, "created_at"),
    updated_at: readTimestamp(reader, "updated_at"),
  };
  reader.reportUnknownKeys();
  return metadata;
}

function readTimestamp(reader: MapReader, key: string): string | null {
  const text = reader.text(key);
  if (text !== null && (!RFC_3339.test(text) || Number.isNaN(Date.parse(text)))) {
    const message = `\`${key}\` must be an RFC 3339 time with a zone, got \`${text}\``;
    reader.ctx.error(
      reader.valueOffset(key),
      reader.pathOf(key),
      message,
      "for example 2026-01-02T03:04:05Z",
    );
  }
  return text;
}

function readSystemDependencies(reader: MapReader | null): TaskTemplate["system_dependencies"] {
  const dependencies = {
    primary: reader?.text("primary") ?? "default",
    secondary: (reader?.textList("secondary") ?? []).map((item) => item.text),
  };
  reader?.reportUnknownKeys();
  return dependencies;
}

function readDomainEvent(reader: MapReader): DomainEventDeclaration {
  const event: DomainEventDeclaration = {
    name: reader.requiredText("name"),
    description: reader.text("description"),
    schema: reader.jsonObject("schema"),
  };
  reader.reportUnknownKeys();
  return event;
}

function readLifecycle(reader: MapReader | null): LifecycleConfig | null {
  if (reader === null) return null;
  const week = { min: 1, max: 10_080 };
  const lifecycle: LifecycleConfig = {
    max_waiting_for_dependencies_minutes:
      reader.integer("max_waiting_for_dependencies_minutes", week) ?? 60,
    max_waiting_for_retry_minutes: reader.integer("max_waiting_for_retry_minutes", week) ?? 30,
    max_steps_in_process_minutes: reader.integer("max_steps_in_process_minutes", week) ?? 30,
    max_duration_minutes: reader.integer("max_duration_minutes", { min: 1, max: 43_200 }),
    staleness_action: reader.choice("staleness_action", STALENESS_ACTIONS) ?? "dlq",
    auto_fail_on_timeout: reader.boolean("auto_fail_on_timeout"),
    auto_dlq_on_timeout: reader.boolean("auto_dlq_on_timeout"),
  };
  reader.reportUnknownKeys();
  return lifecycle;
}
