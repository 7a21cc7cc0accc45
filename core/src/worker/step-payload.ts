import type { StepPayload, TaskSequenceStep } from "../channels/index.js";

/**
 * A payload over JSON text: encoded or parsed when first asked for.
 * @param build the text around the JSON text of the step's checkpoint.
 */
export function textPayload(
  build: (checkpointJson: string) => string,
  checkpointJson: string,
): StepPayload {
  let text: string | undefined;
  let bytes: Uint8Array | undefined;
  let value: TaskSequenceStep | undefined;
  const textOf = (): string => {
    text ??= build(checkpointJson);
    return text;
  };
  return {
    bytes: () => {
      bytes ??= Buffer.from(textOf());
      return bytes;
    },
    value: () => {
      // The shape is this host's own: delivery-builder.ts wrote it.
      value ??= JSON.parse(textOf()) as TaskSequenceStep;
      return value;
    },
    withCheckpoint: (replacement) => textPayload(build, replacement),
  };
}
