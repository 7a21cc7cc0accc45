import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { migrate } from "../../core/src/db/index.js";
import { startPostgres } from "../../core/src/postgres/index.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser's url of the server that holds the test databases. */
    postgresAdminUrl: string;
    /** Database with PGMQ and every migration; nobody may connect to it while tests run. */
    postgresTemplate: string;
  }
}

const MIGRATIONS_DIR = fileURLToPath(new URL("../../sql/migrations", import.meta.url));

/**
 * One server for all test files: the one of TASKER_TEST_DATABASE_URL, or an embedded cluster that lives as long as the
 * run. Migrations are read from `sql/migrations`, not from the generated module, so an edit counts at once.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await openServer(process.env["TASKER_TEST_DATABASE_URL"]);
  // Runs that share a server from outside must not share a template.
  const template = server.isOwn
    ? "tasker_template"
    : `tasker_template_${process.pid}_${randomBytes(3).toString("hex")}`;
  try {
    await onServer(server.adminUrl, `create database ${template}`);
    await migrate({ url: databaseUrl(server.adminUrl, template), dir: MIGRATIONS_DIR });
  } catch (error) {
    await server.close();
    throw error;
  }
  project.provide("postgresAdminUrl", server.adminUrl);
  project.provide("postgresTemplate", template);
  return async () => {
    if (!server.isOwn) await onServer(server.adminUrl, `drop database if exists ${template}`);
    await server.close();
  };
}

interface TestServer {
  readonly adminUrl: string;
  readonly isOwn: boolean;
  close(): Promise<void>;
}

async function openServer(givenUrl: string | undefined): Promise<TestServer> {
  if (givenUrl !== undefined && givenUrl !== "") {
    return { adminUrl: givenUrl, isOwn: false, close: async () => undefined };
  }
  const directory = await mkdtemp(join(tmpdir(), "tasker-test-postgres-"));
  // Run by root, the server is another user, who must be able to enter.
  await chmod(directory, 0o755);
  const server = await startPostgres({
    dataDir: join(directory, "postgres"),
    database: "admin",
    // Every parallel test file has pools of its own, and a clone copies through shared buffers.
    settings: { max_connections: "200" },
  });
  return {
    adminUrl: server.url,
    isOwn: true,
    close: async () => {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function onServer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function databaseUrl(adminUrl: string, name: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}
