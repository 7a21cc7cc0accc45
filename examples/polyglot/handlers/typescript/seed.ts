import { type StepContext, StepHandler, type StepHandlerResult } from "@tasker-core/sdk";

export class Seed extends StepHandler {
  static override handlerName = "polyglot.seed";
  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ value: context.getInput("n") });
  }
}
