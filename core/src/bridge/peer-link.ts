import type { BridgeConnection, ConnectionListener } from "./connection.js";

/** What a session needs of its connection. */
export type PeerLink = Pick<
  BridgeConnection,
  "isOpen" | "isCongested" | "heardAtMs" | "listener" | "send" | "ack" | "nack" | "decline"
>;

/**
 * One conversation over a succession of connections: a socket that broke is replaced by the next one of the same
 * handler process. Between two of them nothing is sent; what the process had not heard it asks for when it resumes.
 */
export class ResumableLink implements PeerLink {
  #connection: BridgeConnection;
  #listener: ConnectionListener;

  constructor(connection: BridgeConnection) {
    this.#connection = connection;
    this.#listener = connection.listener;
  }

  /** The connection in use, or the last one. */
  get connection(): BridgeConnection {
    return this.#connection;
  }

  /** Goes on over a new connection; the one before it is closed if it was not. */
  replace(connection: BridgeConnection): void {
    this.#connection.close("replaced by a newer connection of the same process");
    this.#connection = connection;
    connection.listener = this.#listener;
  }

  get listener(): ConnectionListener {
    return this.#listener;
  }

  set listener(listener: ConnectionListener) {
    this.#listener = listener;
    this.#connection.listener = listener;
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  get isCongested(): boolean {
    return this.#connection.isCongested;
  }

  get heardAtMs(): number {
    return this.#connection.heardAtMs;
  }

  send(...args: Parameters<BridgeConnection["send"]>): void {
    this.#connection.send(...args);
  }

  ack(...args: Parameters<BridgeConnection["ack"]>): void {
    this.#connection.ack(...args);
  }

  nack(...args: Parameters<BridgeConnection["nack"]>): void {
    this.#connection.nack(...args);
  }

  decline(...args: Parameters<BridgeConnection["decline"]>): void {
    this.#connection.decline(...args);
  }
}
