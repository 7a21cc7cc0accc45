import type { CancelHeader } from "@tasker-core/sdk/protocol";

/** A library at work. Frames go in as `step`s and come out as answers, whichever form the library has. */
export interface LibraryRun {
  readonly form: "full" | "simple";
  /** The body of `hello`. */
  readonly manifest: Uint8Array;
  /** Takes whole frames. */
  offer(frames: Buffer): void;
  cancel(deliveryId: string, reason: CancelHeader["reason"]): void;
  /** Ends it without waiting for handlers that run. */
  close(): void;
}

export interface RunListener {
  /** Whole frames, in memory of their own. */
  frames(bytes: Buffer): void;
  /** The library broke a rule and is not to be used further; `why` names the rule. */
  broken(why: string): void;
}
