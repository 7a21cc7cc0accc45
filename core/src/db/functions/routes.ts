/** Classes of priority, higher first to be served: below 0, 0, and above 0. */
export type PriorityClass = 0 | 1 | 2;

/**
 * What a worker can run and how much of it now: `callableIds` ascending, `pools` aligned with it (1-based pool
 * numbers), `free` by pool number - 1.
 */
export interface Routes {
  readonly callableIds: readonly number[];
  readonly pools: readonly number[];
  readonly free: readonly number[];
  /**
   * The highest class of which steps are known to wait in queues; 0 when none is known. Ready steps of lower classes are
   * handed at most a quarter of the room.
   */
  readonly waitingClass: PriorityClass;
}

/** Concatenated bodies and where each ends, as the functions take them. */
export function packBodies(bodies: readonly Uint8Array[]): { bytes: Buffer; ends: number[] } {
  let total = 0;
  const ends = bodies.map((body) => {
    total += body.byteLength;
    return total;
  });
  return { bytes: Buffer.concat(bodies, total), ends };
}

/** `interval` text of a number of milliseconds. */
export function interval(milliseconds: number): string {
  return `${milliseconds} milliseconds`;
}
