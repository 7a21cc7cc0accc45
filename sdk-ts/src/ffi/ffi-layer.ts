import { BridgeModule } from "../bridge/bridge-module.js";
import { processWide } from "../process-wide.js";
import type { FfiModule } from "./module.js";

export interface FfiLayerConfig {
  /** A module of the caller's own, for tests and other hosts. */
  readonly module?: FfiModule;
  /** Kept for existing configurations: there is no native library to find. */
  readonly libraryPath?: string;
}

/** Which runtime this is. */
export type Runtime = "node" | "bun" | "deno";

/** Where a worker gets its module from: upstream it loads a native library, here it makes a {@link BridgeModule}. */
export class FfiLayer {
  readonly #config: FfiLayerConfig;
  #module: FfiModule | null = null;

  constructor(config: FfiLayerConfig = {}) {
    this.#config = config;
  }

  async load(_libraryPath?: string): Promise<void> {
    this.#module ??= this.#config.module ?? new BridgeModule();
  }

  isLoaded(): boolean {
    return this.#module !== null;
  }

  /** @throws Error before {@link load} */
  getModule(): FfiModule {
    if (this.#module === null) throw new Error("The module is not loaded: call load() first");
    return this.#module;
  }

  getRuntime(): Runtime {
    if (process.versions["bun"] !== undefined) return "bun";
    return process.versions["deno"] === undefined ? "node" : "deno";
  }

  /** Stops the worker when it runs. */
  async unload(): Promise<void> {
    const module = this.#module;
    this.#module = null;
    if (module?.isWorkerRunning()) await module.stopWorker();
  }
}

/** The one of this process. */
export function getFfiLayer(): FfiLayer {
  return processWide("ffi-layer", () => new FfiLayer());
}
