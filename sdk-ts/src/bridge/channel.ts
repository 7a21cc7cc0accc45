import { close, read, write } from "node:fs";
import { connect, Socket } from "node:net";

/** A full-duplex stream of bytes to the host. */
export interface BridgeChannel {
  /** Begins to read; `onEnd` is called once, however the stream ends. */
  open(onData: (chunk: Uint8Array) => void, onEnd: (why: string) => void): void;
  write(bytes: Uint8Array): void;
  /** Says that nothing more comes, once what was written is out. */
  end(): void;
  destroy(): void;
}

export type BridgeAddress =
  | { readonly kind: "fd"; readonly fd: number }
  | { readonly kind: "stdio" }
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** @throws RangeError for what TASKER_BRIDGE cannot be. */
export function parseBridgeAddress(spec: string): BridgeAddress {
  const at = spec.indexOf(":");
  const kind = at === -1 ? spec : spec.slice(0, at);
  const rest = at === -1 ? "" : spec.slice(at + 1);
  if (kind === "stdio" && rest === "") return { kind };
  if (kind === "fd" && /^\d+$/.test(rest)) return { kind, fd: Number(rest) };
  if (kind === "unix" && rest !== "") return { kind, path: rest };
  const tcp = kind === "tcp" ? /^(.+):(\d+)$/.exec(rest) : null;
  if (tcp !== null) {
    return { kind: "tcp", host: tcp[1]!.replace(/^\[|\]$/g, ""), port: Number(tcp[2]) };
  }
  throw new RangeError(
    `The bridge's address is \`${spec}\`; expected fd:<n>, stdio, unix:<path> or tcp:<host>:<port>`,
  );
}

/** A socket can be dialled again; what the host made for its own child cannot. */
export function isDialled(address: BridgeAddress): boolean {
  return address.kind === "unix" || address.kind === "tcp";
}

const CONNECT_MS = 5_000;

/** @throws Error when nobody answers at the address within 5 s */
export async function openChannel(address: BridgeAddress): Promise<BridgeChannel> {
  switch (address.kind) {
    case "fd":
      return inherited(address.fd);
    case "stdio":
      return standardStreams();
    case "unix":
      return new SocketChannel(await dial(() => connect({ path: address.path })));
    case "tcp": {
      const socket = await dial(() => connect({ host: address.host, port: address.port }));
      socket.setNoDelay(true);
      return new SocketChannel(socket);
    }
  }
}

async function dial(open: () => Socket): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = open();
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    const late = setTimeout(() => fail(new Error(`no answer within ${CONNECT_MS} ms`)), CONNECT_MS);
    socket.once("error", fail);
    socket.once("connect", () => {
      clearTimeout(late);
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

class SocketChannel implements BridgeChannel {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  open(onData: (chunk: Uint8Array) => void, onEnd: (why: string) => void): void {
    let error: Error | null = null;
    this.#socket.on("data", onData);
    this.#socket.once("error", (cause) => {
      error = cause;
    });
    // Half open is no state for a bridge: a host that ends has gone.
    this.#socket.once("end", () => this.#socket.destroy());
    this.#socket.once("close", () => onEnd(error?.message ?? "the host closed the channel"));
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.end(() => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

function inherited(fd: number): BridgeChannel {
  // Node takes an inherited socket into its event loop. Bun and Deno read it like a file, on a thread of theirs.
  const isNode = process.versions["bun"] === undefined && process.versions["deno"] === undefined;
  return isNode
    ? new SocketChannel(new Socket({ fd, readable: true, writable: true }))
    : new DescriptorChannel(fd, fd);
}

function standardStreams(): BridgeChannel {
  // What handlers print must not meet the frames: from here on, standard output is standard error.
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  // Bun's console writes past `process.stdout`.
  // biome-ignore lint/suspicious/noConsole: it is led elsewhere, not used
  for (const level of ["log", "info", "debug"] as const) console[level] = console.error;
  return new DescriptorChannel(0, 1);
}

const READ_BYTES = 256 * 1024;

/** Blocking descriptors, read and written through the runtime's thread pool. */
class DescriptorChannel implements BridgeChannel {
  readonly #input: number;
  readonly #output: number;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #queue: Uint8Array[] = [];
  #isWriting = false;
  #isEnding = false;
  #onEnd: ((why: string) => void) | null = null;

  constructor(input: number, output: number) {
    this.#input = input;
    this.#output = output;
  }

  open(onData: (chunk: Uint8Array) => void, onEnd: (why: string) => void): void {
    this.#onEnd = onEnd;
    this.#read(onData);
  }

  write(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#flush();
  }

  end(): void {
    this.#isEnding = true;
    this.#flush();
  }

  destroy(): void {
    // A read that waits cannot be taken back; the process ends with it.
    this.#finish("the channel was closed");
  }

  #read(onData: (chunk: Uint8Array) => void): void {
    read(this.#input, this.#buffer, 0, READ_BYTES, null, (error, count) => {
      if (this.#onEnd === null) return;
      if (error?.code === "EAGAIN") {
        setTimeout(() => this.#read(onData), 1);
      } else if (error !== null || count === 0) {
        this.#finish(error?.message ?? "the host closed the channel");
      } else {
        // Bodies are views into what they came in.
        onData(this.#buffer.slice(0, count));
        this.#read(onData);
      }
    });
  }

  #flush(): void {
    const bytes = this.#queue[0];
    if (this.#isWriting) return;
    if (bytes === undefined) {
      if (this.#isEnding) {
        if (this.#output !== this.#input) close(this.#output, () => undefined);
        this.#finish("the channel was closed");
      }
      return;
    }
    this.#isWriting = true;
    write(this.#output, bytes, 0, bytes.byteLength, null, (error, count) => {
      this.#isWriting = false;
      if (error !== null && error.code !== "EAGAIN") {
        this.#finish(error.message);
        return;
      }
      const written = error === null ? count : 0;
      if (written === bytes.byteLength) this.#queue.shift();
      else this.#queue[0] = bytes.subarray(written);
      if (error === null) this.#flush();
      else setTimeout(() => this.#flush(), 1);
    });
  }

  #finish(why: string): void {
    const onEnd = this.#onEnd;
    this.#onEnd = null;
    onEnd?.(why);
  }
}
