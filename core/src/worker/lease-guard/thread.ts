/**
 * The guard's own thread: an event loop and a database connection that no handler can stop. It does nothing as long as
 * the host renews its leases by itself.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { renewLeases } from "../../db/functions/index.js";
import { openPumpConnection, type PumpConnection } from "../../db/index.js";
import { SharedHoldings, sharedNowMs } from "./shared-holdings.js";

export interface GuardData {
  readonly buffer: SharedArrayBuffer;
  readonly url: string;
  readonly workerId: number;
  readonly leaseMs: number;
}

const { buffer, url, workerId, leaseMs } = workerData as GuardData;
const holdings = new SharedHoldings(buffer, 0);
const stopping = new AbortController();
parentPort?.once("message", () => stopping.abort());

let connection: PumpConnection | undefined;
while (!stopping.signal.aborted) {
  await sleep(leaseMs / 6, undefined, { signal: stopping.signal }).catch(() => undefined);
  // The host renews at a third of the lease; one that is half a lease late is not coming.
  if (stopping.signal.aborted || sharedNowMs() - holdings.renewedAtMs < leaseMs / 2) continue;
  const held = holdings.held(sharedNowMs());
  if (held.length === 0) continue;
  try {
    connection ??= await openPumpConnection(url, { applicationName: "tasker-lease-guard" });
    await renewLeases(connection, workerId, held, leaseMs);
    parentPort?.postMessage({ renewed: held.length });
  } catch {
    // The host, once it runs again, meets the same database and says so.
    await connection?.close().catch(() => undefined);
    connection = undefined;
  }
}
await connection?.close().catch(() => undefined);
parentPort?.close();
