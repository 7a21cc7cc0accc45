/** Cuts whole frames of a host, whose lengths are right, into one piece each. */
export function wholeFrames(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return frames;
}

/** How many bytes of the start are whole frames. */
export function wholeLength(bytes: Buffer): number {
  let at = 0;
  while (at + 4 <= bytes.length) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    at = end;
  }
  return at;
}
