import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";
import { expectNothingLost, Load } from "./support/load.js";
import { living } from "./support/processes.js";

// scripts/chaos asks for 200.
const RELOADS = Number(process.env["TASKER_CHAOS_RELOADS"] ?? 20);
const LANGUAGES = ["python", "ruby"] as const;

const database = useTestDatabase({ maxConnections: 3 });
let host: TestEngine | undefined;

afterAll(() => host?.engine.stop());

test(
  `${RELOADS} rolling restarts of Python and Ruby under load: nothing is lost, no attempt is counted`,
  async () => {
    host = await startTestEngine({
      databaseUrl: database.url,
      templates: {
        chain: LANGUAGES.map((name, place) => ({
          name,
          callable: `chaos.${name}`,
          dependencies: LANGUAGES.slice(0, place),
        })),
      },
      languages: LANGUAGES,
      handlerFolders: Object.fromEntries(
        LANGUAGES.map((name) => [
          name,
          fileURLToPath(new URL(`./handlers/${name}`, import.meta.url)),
        ]),
      ),
    });
    const supervisors = host.engine.worker.languages.flatMap(({ supervisor }) => supervisor ?? []);
    expect(supervisors).toHaveLength(LANGUAGES.length);
    const load = new Load(host, "chain", { ms: 20, marker: "0" }, 24);
    const pids = new Set<number>();
    for (let reload = 0; reload < RELOADS; reload += 1) {
      const restedBefore = load.rested;
      await Promise.all(supervisors.map((one) => one.reload(`restart ${reload}`)));
      for (const pid of LANGUAGES.flatMap((name) => host?.pids(name) ?? [])) pids.add(pid);
      await waitFor(() => load.rested > restedBefore + 5, {
        describe: "tasks between two restarts",
      });
    }
    const tasks = await load.finish(60_000);
    const { steps, mostDeaths } = await expectNothingLost(host, tasks, LANGUAGES.length);
    process.stderr.write(`chaos: ${RELOADS} rolling restarts during ${steps} steps, 0 lost\n`);
    expect(mostDeaths, "deaths of a step").toBe(0);
    expect(tasks).toBeGreaterThan(RELOADS);
    expect(supervisors.map((one) => one.metrics().crashed)).toEqual([0, 0]);
    expect(pids.size).toBeGreaterThanOrEqual(RELOADS * LANGUAGES.length);
    const serving = LANGUAGES.flatMap((name) => host?.pids(name) ?? []);
    const left = () =>
      [...pids].filter((group) => !serving.includes(group) && living({ group }).length > 0);
    await waitFor(() => left().length === 0, {
      timeoutMs: 30_000,
      describe: () => `${left()} to end`,
    });
  },
  60_000 + RELOADS * 6_000,
);
