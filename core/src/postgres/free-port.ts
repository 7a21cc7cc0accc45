import { createServer } from "node:net";

/**
 * The preferred loopback port if nothing listens on it, else any free one. The port may be taken again before the
 * caller binds it, so the caller must be ready to ask once more.
 */
export async function freePort(preferred: number | undefined): Promise<number> {
  if (preferred !== undefined && preferred > 0) {
    const port = await tryPort(preferred);
    if (port !== null) return port;
  }
  const port = await tryPort(0);
  if (port === null) throw new Error("no free port on 127.0.0.1");
  return port;
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      const address = server.address();
      const bound = address !== null && typeof address === "object" ? address.port : null;
      server.close(() => resolve(bound));
    });
  });
}
