import pg from "pg";
import type { Figure } from "../report.js";

/** How fast this server commits one narrow row over one connection: what every durable system here is measured against. */
export async function measureCommits(
  databaseUrl: string,
  options: { readonly rounds: number; readonly secondsPerRound: number },
): Promise<{ figure: Figure; version: string }> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ version: string }>(
      "select current_setting('server_version') as version",
    );
    await client.query(
      "create table if not exists bench_commits (id bigint generated always as identity, at timestamptz)",
    );
    const values: number[] = [];
    for (let round = 0; round < options.rounds; round += 1) {
      const startedAt = performance.now();
      let commits = 0;
      while (performance.now() - startedAt < options.secondsPerRound * 1000) {
        await client.query({
          name: "commit",
          text: "insert into bench_commits (at) values (now())",
        });
        commits += 1;
      }
      values.push(commits / ((performance.now() - startedAt) / 1000));
    }
    await client.query("drop table bench_commits");
    return {
      figure: { id: "postgres.commits_per_s", unit: "commits/s", values },
      version: rows[0]?.version ?? "unknown",
    };
  } finally {
    await client.end();
  }
}
