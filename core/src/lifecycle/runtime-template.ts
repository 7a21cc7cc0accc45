import { canonicalJson, sha256 } from "../lib/canonical-json.js";
import { type JsonObject, type JsonValue, stringifyJson } from "../lib/json-number.js";
import { parseJson } from "../lib/parse-json.js";
import {
  type BatchConfig,
  type CompiledTemplate,
  type EventPublication,
  type IdentityStrategy,
  type StepGraph,
  type StepType,
  stepGraph,
  templateToJson,
  transitiveAncestors,
} from "../model/index.js";
import { compileSchema, type SchemaCheck } from "./json-schema.js";

/** Global retry settings that every step of a template is registered with. */
export interface BackoffSettings {
  readonly multiplier: number;
  /** Largest share of the delay that is added or taken away at random; 0 for none. */
  readonly jitter: number;
}

/** A step as a running host needs it. */
export interface RuntimeStep {
  readonly ordinal: number;
  readonly name: string;
  readonly namedStepUuid: string;
  readonly type: StepType;
  readonly callable: string;
  readonly method: string | null;
  readonly initialization: JsonObject;
  readonly batchConfig: BatchConfig | null;
  /** Null: any JSON value is a result. */
  readonly resultCheck: SchemaCheck | null;
  readonly publications: readonly RuntimePublication[];
  readonly maxAttempts: number;
  readonly retryable: boolean;
  readonly timeoutMs: number | null;
  readonly redeliver: boolean;
  /** Created when the task is; the others are made by a decision or an analyzer. */
  readonly initial: boolean;
  readonly dependencies: readonly number[];
  /** JSON texts, spliced into step events. */
  readonly definitionJson: string;
  readonly inputsJson: string;
}

/** A domain event that the step publishes, with its schema ready to check payloads. */
export interface RuntimePublication extends EventPublication {
  readonly check: SchemaCheck;
}

/** One registered revision of a template. */
export interface RuntimeTemplate {
  readonly templateId: number;
  readonly namespaceId: number;
  readonly namedTaskUuid: string;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly identityStrategy: IdentityStrategy;
  /** Null: any context will do. */
  readonly inputCheck: SchemaCheck | null;
  /** By ordinal, which is a topological order. */
  readonly steps: readonly RuntimeStep[];
  /** The template's own edges by ordinal, whether their steps are created at the start or not. */
  readonly graph: StepGraph;
  /** Ordinals of every transitive dependency of a step, ascending. */
  ancestorsOf(ordinal: number): readonly number[];
}

/** The text that `tasker_core.register_template` takes and stores; everything a host needs can be read back from it. */
export function registrationPayload(template: CompiledTemplate, backoff: BackoffSettings): string {
  const steps = template.steps.map((step) => {
    const definition = step.definitionJson;
    const columns = {
      ordinal: step.ordinal,
      name: step.name,
      callable: step.callable,
      method: step.method,
      type: step.type,
      initial: step.initial,
      pending_dependencies: step.pendingDependencies,
      dependencies: step.dependencies,
      // Edges between steps that exist from the start; all others are made when their steps are.
      children: step.initial
        ? step.children.filter((child) => template.steps[child]?.initial === true)
        : [],
      late_children:
        step.initial && step.children.some((child) => template.steps[child]?.initial === false),
      retryable: step.retryable,
      max_attempts: Math.max(1, step.maxAttempts),
      backoff: step.retry.kind,
      backoff_base_ms: step.retry.baseMs,
      backoff_cap_ms: step.retry.capMs,
      backoff_multiplier: backoff.multiplier,
      backoff_jitter: backoff.jitter,
      timeout_ms: step.timeoutMs,
      redeliver: step.redeliver,
    };
    return `${JSON.stringify(columns).slice(0, -1)},"definition":${definition},"inputs":${step.inputsJson ?? "null"}}`;
  });
  const { namespace_name, name, version, description, identity_strategy } = template.template;
  const head = { namespace: namespace_name, name, version, description, identity_strategy };
  const stepsJson = `[${steps.join(",")}]`;
  const configuration = templateToJson(template.template);
  const contentHash = sha256(
    canonicalJson(parseJson(`[${stringifyJson(head)},${stepsJson},${configuration}]`)),
  );
  return `${JSON.stringify({ ...head, content_hash: contentHash }).slice(0, -1)},"configuration":${configuration},"steps":${stepsJson}}`;
}

export interface TemplateIds {
  readonly templateId: number;
  readonly namespaceId: number;
  readonly namedTaskUuid: string;
  readonly namedStepUuids: readonly string[];
}

export function runtimeTemplate(payload: string, ids: TemplateIds): RuntimeTemplate {
  const parsed = parseJson(payload) as unknown as {
    namespace: string;
    name: string;
    version: string;
    identity_strategy: IdentityStrategy;
    configuration: { readonly input_schema?: JsonObject | null };
    steps: readonly StoredStep[];
  };
  const graph = stepGraph(
    parsed.steps.map((step) => ({
      name: step.name,
      dependencies: step.dependencies.map((ordinal) => parsed.steps[ordinal]?.name ?? ""),
    })),
  );
  const ancestors = new Map<number, readonly number[]>();
  return {
    templateId: ids.templateId,
    namespaceId: ids.namespaceId,
    namedTaskUuid: ids.namedTaskUuid,
    namespace: parsed.namespace,
    name: parsed.name,
    version: parsed.version,
    identityStrategy: parsed.identity_strategy,
    inputCheck: checkOf(parsed.configuration.input_schema, `input_schema of ${parsed.name}`),
    steps: parsed.steps.map((step) => runtimeStep(step, ids)),
    graph,
    ancestorsOf: (ordinal) => {
      const known = ancestors.get(ordinal);
      if (known !== undefined) return known;
      const computed = transitiveAncestors(graph, ordinal);
      ancestors.set(ordinal, computed);
      return computed;
    },
  };
}

interface StoredStep {
  readonly ordinal: number;
  readonly name: string;
  readonly type: StepType;
  readonly callable: string;
  readonly method: string | null;
  readonly dependencies: readonly number[];
  readonly retryable: boolean;
  readonly max_attempts: number;
  readonly timeout_ms: number | null;
  readonly redeliver: boolean;
  readonly initial: boolean;
  readonly definition: StoredDefinition;
  readonly inputs: JsonValue;
}

/** The part of a stored step definition that is read as more than text. */
interface StoredDefinition {
  readonly handler: { readonly initialization: JsonObject };
  readonly batch_config: BatchConfig | null;
  readonly result_schema?: JsonObject | null;
  readonly publishes_events?: readonly EventPublication[];
}

function runtimeStep(step: StoredStep, ids: TemplateIds): RuntimeStep {
  return {
    ordinal: step.ordinal,
    name: step.name,
    namedStepUuid: ids.namedStepUuids[step.ordinal] ?? "",
    type: step.type,
    callable: step.callable,
    method: step.method,
    initialization: step.definition.handler.initialization,
    batchConfig: step.definition.batch_config,
    resultCheck: checkOf(step.definition.result_schema, `result_schema of step ${step.name}`),
    publications: (step.definition.publishes_events ?? []).map((publication) => ({
      ...publication,
      check: compileSchema(
        publication.schema,
        `schema of event ${publication.name} of step ${step.name}`,
      ),
    })),
    maxAttempts: step.max_attempts,
    retryable: step.retryable,
    timeoutMs: step.timeout_ms,
    redeliver: step.redeliver,
    initial: step.initial,
    dependencies: step.dependencies,
    definitionJson: stringifyJson(step.definition),
    inputsJson: stringifyJson(step.inputs),
  };
}

function checkOf(schema: JsonObject | null | undefined, where: string): SchemaCheck | null {
  return schema === null || schema === undefined ? null : compileSchema(schema, where);
}
