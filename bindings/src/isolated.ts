/** A helper process around one library: what the library does to its process stays here. Speaks the bridge on fd 3. */
import { Socket } from "node:net";
import { openPeer } from "./carrier.js";
import type { LibrarySpec } from "./spec.js";

const spec = JSON.parse(process.argv[2] ?? "null") as LibrarySpec;
const channel = new Socket({ fd: 3 });
const leave = (code: number): void => void channel.end(() => process.exit(code));
// Without its host there is nobody to end a process whose thread never returns from the library: `exit` would wait.
const die = (): void => void process.kill(process.pid, "SIGKILL");
try {
  const peer = openPeer(spec);
  peer.on("error", (error) => {
    process.stderr.write(`${error.message}\n`);
    leave(1);
  });
  peer.once("end", () => leave(0));
  channel.on("error", die);
  channel.once("end", die);
  peer.pipe(channel, { end: false });
  channel.pipe(peer, { end: false });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
