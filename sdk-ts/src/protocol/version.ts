/** Protocol majors this package speaks, and the limits every implementation shares (BRIDGE sections 1, 3, 13). */
export const PROTOCOL_VERSIONS: readonly number[] = [1];

/** Largest `length` of a frame unless the handshake says less, bytes. */
export const DEFAULT_MAX_FRAME = 16 * 1024 * 1024;
/** Nothing longer is even skipped: a frame starts with a byte of at most 0x04, so printed text is recognised. */
export const ABSOLUTE_MAX_FRAME = 64 * 1024 * 1024;
/** Frames of the handshake. */
export const HANDSHAKE_MAX_FRAME = 1024 * 1024;
export const MAX_HEADER = 65_536;

/** The highest major both sides speak, or null when there is none. */
export function chooseProtocol(ours: readonly number[], theirs: readonly number[]): number | null {
  const common = ours.filter((version) => theirs.includes(version));
  return common.length === 0 ? null : Math.max(...common);
}
