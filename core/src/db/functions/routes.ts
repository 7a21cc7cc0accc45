/**
 * What a worker can run and how much of it now: `callableIds` ascending, `pools` aligned with it (1-based pool
 * numbers), `free` by pool number - 1.
 */
export interface Routes {
  readonly callableIds: readonly number[];
  readonly pools: readonly number[];
  readonly free: readonly number[];
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
