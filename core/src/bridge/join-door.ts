import { chmod, mkdir, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import type { HelloHeader, RejectHeader } from "@tasker-core/sdk/protocol";
import { ConfigError, messageOf } from "../errors/index.js";
import type { Secret } from "../lib/secret.js";
import { newUuid } from "../lib/uuid.js";
import { BridgeConnection } from "./connection.js";
import { type Admission, type Greeting, greet } from "./greet.js";
import { formatJoinAddress, type JoinAddress } from "./join-address.js";
import { JoinedPeer, type JoinedPeerSettings, type SeatOf } from "./joined-peer.js";

export interface JoinDoorOptions extends JoinedPeerSettings {
  readonly addresses: readonly JoinAddress[];
  /** Certificate and key, PEM; null for plain sockets. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** What every process has to know. */
  readonly token: Secret;
  readonly hostId: string;
  readonly handshakeTimeoutMs: number;
  /** Handler processes at once. */
  readonly maxProcesses: number;
  readonly maxFrame: number;
  /** Told to the process as what the host keeps on the deliveries that it hands out. */
  readonly leaseMs: number;
  readonly seat: SeatOf;
  readonly onJoined: (peer: JoinedPeer) => void;
  readonly onGone: (peer: JoinedPeer) => void;
}

/** Connections that have not proven themselves yet: more are closed unheard. */
const MAX_UNKNOWN = 32;

/**
 * Where handler processes that were started elsewhere come in: Unix sockets for this machine's owner only, and TCP.
 * Nobody works here without the token; one process of a name at a time.
 */
export class JoinDoor {
  readonly #options: JoinDoorOptions;
  readonly #servers: Server[] = [];
  readonly #peers = new Map<string, JoinedPeer>();
  /** Those in a TLS handshake included: a server closes only after the last of them. */
  readonly #sockets = new Set<Socket>();
  readonly #unknown = new Set<BridgeConnection>();
  #addresses: string[] = [];
  #isClosing = false;

  constructor(options: JoinDoorOptions) {
    this.#options = options;
  }

  /** Where it listens, as `TASKER_BRIDGE` names it; port 0 has become a real one. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  get peers(): readonly JoinedPeer[] {
    return [...this.#peers.values()];
  }

  /** @throws ConfigError JOIN_ADDRESS_UNUSABLE naming the address and why; nothing is left open then */
  async open(): Promise<void> {
    try {
      for (const address of this.#options.addresses) {
        this.#addresses.push(formatJoinAddress(await this.#listen(address)));
      }
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  /** Lets nobody else in, and asks those inside to finish and go. Never throws. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const closed = this.#servers
      .splice(0)
      .map((server) => new Promise<void>((settle) => server.close(() => settle())));
    for (const connection of this.#unknown) connection.close("the worker is shutting down");
    await Promise.all(this.peers.map((peer) => peer.stop(graceMs, "the worker is shutting down")));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  async #listen(address: JoinAddress): Promise<JoinAddress> {
    const { tls } = this.#options;
    const server =
      tls === null || address.kind === "unix"
        ? createServer((socket) => this.#accept(socket))
        : createTlsServer(
            { ...tls, minVersion: "TLSv1.2", handshakeTimeout: this.#options.handshakeTimeoutMs },
            (socket) => this.#accept(socket),
          );
    server.on("tlsClientError", (_error, socket: Socket) => socket.destroy());
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    try {
      if (address.kind === "unix") await prepareSocketPath(address.path);
      await listening(server, address);
      this.#servers.push(server);
      if (address.kind === "unix") {
        await chmod(address.path, 0o600);
        return address;
      }
    } catch (error) {
      server.close();
      throw new ConfigError(
        "JOIN_ADDRESS_UNUSABLE",
        `Handler processes cannot join at ${formatJoinAddress(address)}: ${messageOf(error)}`,
        { cause: error },
      );
    }
    const bound = server.address();
    const port = bound !== null && typeof bound === "object" ? bound.port : address.port;
    return { ...address, port };
  }

  #accept(socket: Socket): void {
    const { logger, clock, maxProcesses } = this.#options;
    const isFull = this.#unknown.size >= MAX_UNKNOWN || this.#peers.size >= maxProcesses;
    if (this.#isClosing || isFull) {
      if (isFull)
        logger.warn({ processes: this.#peers.size }, "a handler process was turned away: too many");
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    const connection = new BridgeConnection(socket as Duplex, { logger, clock });
    this.#unknown.add(connection);
    this.#greet(connection)
      .finally(() => this.#unknown.delete(connection))
      .then((greeting) => this.#seat(greeting, connection))
      .catch((error: unknown) => logger.warn({ err: error }, messageOf(error)));
  }

  async #greet(connection: BridgeConnection): Promise<Greeting> {
    const { hostId, maxFrame, pingMs, leaseMs, handshakeTimeoutMs, clock, token, resumeMs } =
      this.#options;
    return await greet(connection, {
      hostId,
      connectionId: newUuid(),
      maxFrame,
      pingMs,
      leaseMs,
      timeoutMs: handshakeTimeoutMs,
      clock,
      peer: "that wants to join",
      token,
      resumeMs,
      admit: (hello) => this.#admit(hello),
    });
  }

  #admit(hello: HelloHeader): Admission {
    const known = this.#peers.get(hello.worker_id);
    if (known?.isResumedBy(hello)) return known.admission(hello);
    if (known?.isConnected === true) return { reject: duplicate(hello) };
    return { keep: [], drop: [...(hello.held ?? [])] };
  }

  async #seat(greeting: Greeting, connection: BridgeConnection): Promise<void> {
    const { hello } = greeting;
    const known = this.#peers.get(hello.worker_id);
    if (known?.isResumedBy(hello)) {
      this.#options.logger.info({ worker: hello.worker_id }, "a handler process came back");
      await known.resume(connection, hello);
      return;
    }
    if (known?.isConnected === true) {
      connection.close("another process of the same name came first");
      return;
    }
    await known?.supersede();
    const peer = new JoinedPeer(greeting, connection, this.#options.seat, this.#options);
    this.#peers.set(peer.workerId, peer);
    this.#options.onJoined(peer);
    const message = await peer.gone;
    if (this.#peers.get(peer.workerId) === peer) this.#peers.delete(peer.workerId);
    this.#options.logger.info({ worker: peer.workerId }, message);
    this.#options.onGone(peer);
  }
}

function duplicate(hello: HelloHeader): RejectHeader {
  const message = `A handler process named \`${hello.worker_id}\` is connected already: give each its own worker_id`;
  return { type: "reject", code: "duplicate_worker", message };
}

async function listening(server: Server, address: JoinAddress): Promise<void> {
  await new Promise<void>((settle, reject) => {
    server.once("error", reject);
    // A Unix socket is reachable from its first moment: it has to be born private.
    const umask = process.umask(0o177);
    try {
      if (address.kind === "unix") server.listen(address.path, settle);
      else server.listen(address.port, address.host, settle);
    } finally {
      process.umask(umask);
    }
  });
  server.on("error", () => undefined); // a connection that could not be accepted is its peer's to repeat
}

/** Makes the folder, for the owner only, and removes what a host that died has left. */
async function prepareSocketPath(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const isAlive = await new Promise<boolean>((settle) => {
    const probe = connect(path, () => settle(true)).on("error", () => settle(false));
    probe.once("connect", () => probe.destroy());
  });
  if (isAlive) throw new Error("another host listens there");
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}
