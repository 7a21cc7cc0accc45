import { startPostgres } from "/work/main/core/src/postgres/index.ts";
import { spawn } from "node:child_process";
import { once } from "node:events";
const s = await startPostgres({ dataDir: "/tmp/tpgext/pg", sources: [process.argv[2] as "system"], database: "admin" });
console.log(s.version, s.source);
const c = spawn("npx", ["vitest", "run", "--project", "database", "test/migrations", "test/integration/database"], { cwd: "/work/main", env: { ...process.env, TASKER_TEST_DATABASE_URL: s.url }, stdio: "inherit" });
await once(c, "exit");
import pg from "pg";
const cl = new pg.Client(s.url); await cl.connect();
console.log((await cl.query("select datname from pg_database")).rows.map((r) => r.datname));
await cl.end();
// hung server
process.kill(s.pid, "SIGSTOP");
const t = performance.now();
await s.stop();
console.log("stop of a hung server", (performance.now() - t).toFixed(0));
