/**
 * Ids that cannot be mixed up. Internal keys are `bigint` (decimal strings in JSON); public ids are UUIDs.
 * The brands exist for the compiler only.
 */
declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

export type TaskId = Branded<bigint, "TaskId">;
export type StepId = Branded<bigint, "StepId">;
export type TemplateId = Branded<bigint, "TemplateId">;
export type MessageId = Branded<bigint, "MessageId">;
/** The fence of a lease: a result is accepted only while the step row still carries it. */
export type LeaseToken = Branded<bigint, "LeaseToken">;
export type TaskUuid = Branded<string, "TaskUuid">;
export type StepUuid = Branded<string, "StepUuid">;

export const taskId = (value: bigint): TaskId => value as TaskId;
export const stepId = (value: bigint): StepId => value as StepId;
export const templateId = (value: bigint): TemplateId => value as TemplateId;
export const messageId = (value: bigint): MessageId => value as MessageId;
export const leaseToken = (value: bigint): LeaseToken => value as LeaseToken;
export const taskUuid = (value: string): TaskUuid => value as TaskUuid;
export const stepUuid = (value: string): StepUuid => value as StepUuid;
