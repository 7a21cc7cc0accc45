/**
 * Settings of a cluster of ours. Durability is that of a production server; what is left out (replication, JIT,
 * parallel plans) costs time and protects nothing on one machine.
 */
export const DEFAULT_SETTINGS: Readonly<Record<string, string>> = {
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  wal_level: "minimal",
  max_wal_senders: "0",
  jit: "off",
  max_connections: "100",
  shared_buffers: "128MB",
  // Statements here are small; a parallel plan would also need /dev/shm, which containers keep at 64 MB.
  max_parallel_workers_per_gather: "0",
  password_encryption: "scram-sha-256",
  // Failed statements are their client's business; logged here they would grow the file without bound, bodies included.
  log_min_messages: "log",
  log_checkpoints: "off",
};

/** Command-line arguments for `postgres`. The launcher's own four come last, so that nothing can move the server. */
export function settingArguments(
  settings: Readonly<Record<string, string>>,
  port: number,
): string[] {
  const all = {
    ...DEFAULT_SETTINGS,
    ...settings,
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    logging_collector: "off",
  };
  return Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
