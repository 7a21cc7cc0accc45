// What the test says to a host process and hears from it, over the channel that `fork` opens.

import type { EngineRole } from "../../../../core/src/bootstrap.js";

export interface HostOptions {
  readonly databaseUrl: string;
  readonly role: EngineRole;
  readonly leaseSeconds: number;
}

/** Where the process kills itself, with SIGKILL: nothing of it runs afterwards. */
export type Fault =
  /**
   * At a call to a function of the database: the first one before which `when` holds is not sent any more; the first one
   * after which it holds has its answer, and nobody hears it. `when` is SQL, true or false.
   */
  | {
      readonly at: "call";
      readonly function: string;
      readonly phase: "before" | "after";
      readonly when: string;
      /** Calls that come earlier wait: what `when` asks for may come between the question and the call. */
      readonly holdsBack?: boolean;
    }
  /** In the handler of a step: its side effect is done, its result is not sent. */
  | { readonly at: "handler"; readonly step: string }
  /** When a task has been created and whoever wanted it has been told. */
  | { readonly at: "created" };

export type ToHost =
  | { readonly do: "start" }
  | { readonly do: "arm"; readonly fault: Fault }
  | { readonly do: "create"; readonly n: number; readonly key: string }
  /** The step's handler waits after its side effect until `release`. */
  | { readonly do: "hold"; readonly step: string }
  | { readonly do: "release" }
  | { readonly do: "stop" };

export type FromHost =
  | { readonly tell: "ready" | "started" | "armed" | "holding" }
  | { readonly tell: "created" | "held" };

export const CHAIN = { namespace: "tests", name: "chain", version: "1.0.0" } as const;
