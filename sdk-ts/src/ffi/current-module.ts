import { processWide } from "../process-wide.js";
import type { FfiModule } from "./module.js";

const current = processWide("current-module", () => ({ module: null as FfiModule | null }));

/** The module that joined a host last, for calls that name none. */
export function currentModule(): FfiModule | null {
  return current.module;
}

export function setCurrentModule(module: FfiModule): void {
  current.module = module;
}
