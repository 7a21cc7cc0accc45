export { CompletionChannel } from "./completion-channel.js";
export {
  type CancelReason,
  FfiDispatchChannel,
  type FfiDispatchChannelOptions,
  type PollPermit,
} from "./ffi-dispatch-channel.js";
export type { DispatchMetrics } from "./pending-deliveries.js";
export type {
  CompletionSink,
  CompletionVerdict,
  FailureKind,
  HandlerEvent,
  StepCompletion,
  StepDelivery,
  StepFailure,
  StepLost,
  StepOutcome,
  StepPayload,
  StepSuccess,
  StepYield,
  TaskSequenceStep,
} from "./types.js";
