import { currentModule, setCurrentModule } from "../ffi/current-module.js";
import type {
  BootstrapConfig,
  BootstrapResult,
  FfiModule,
  StopResult,
  WorkerStatus,
} from "../ffi/module.js";
import { SDK_VERSION } from "../version.js";

/** Joins the host that the configuration, or `TASKER_BRIDGE`, names. Never throws: the answer says what happened. */
export async function bootstrapWorker(
  config: BootstrapConfig | undefined,
  module: FfiModule,
): Promise<BootstrapResult> {
  // Before: the first step may run before the answer is here.
  setCurrentModule(module);
  return await module.bootstrapWorker(config ?? {});
}

/** Lets running steps finish, then leaves. */
export async function stopWorker(module?: FfiModule): Promise<StopResult> {
  const found = module ?? currentModule();
  return found === null ? NOT_RUNNING : await found.stopWorker();
}

export function getWorkerStatus(module?: FfiModule): WorkerStatus {
  return (
    (module ?? currentModule())?.getWorkerStatus() ?? {
      success: true,
      running: false,
      status: "stopped",
      workerId: null,
      handlerCount: 0,
      inFlight: 0,
    }
  );
}

export function isWorkerRunning(module?: FfiModule): boolean {
  return (module ?? currentModule())?.isWorkerRunning() ?? false;
}

/** Takes no more steps; the worker leaves when those it has are answered. */
export async function transitionToGracefulShutdown(module?: FfiModule): Promise<StopResult> {
  const found = module ?? currentModule();
  return found === null ? NOT_RUNNING : await found.transitionToGracefulShutdown();
}

export function getVersion(): string {
  return SDK_VERSION;
}

/** Kept for existing callers: what carries the steps is this package. */
export function getRustVersion(): string {
  return SDK_VERSION;
}

/** Whether the worker is connected to its host. */
export function healthCheck(module?: FfiModule): boolean {
  return (module ?? currentModule())?.healthCheck() ?? false;
}

const NOT_RUNNING: StopResult = {
  success: true,
  status: "not_running",
  message: "The worker is not running",
};
