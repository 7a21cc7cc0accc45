import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { BRIDGE_COMMANDS } from "../../../bench/bridge.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";
import { expectNothingLost, Load, newestTask } from "./support/load.js";
import { MemoryLog, middle } from "./support/memory.js";
import { living, openFiles, zombies } from "./support/processes.js";

// scripts/chaos asks for 1 000, and for the respawn that the project promises.
const KILLS = Number(process.env["TASKER_CHAOS_KILLS"] ?? 30);
const RESPAWN_MS = Number(process.env["TASKER_CHAOS_RESPAWN_MS"] ?? 5_000);
const LANGUAGES = ["python", "ruby"] as const;
type Language = (typeof LANGUAGES)[number];

const folderOf = (language: Language): string =>
  fileURLToPath(new URL(`./handlers/${language}`, import.meta.url));
/** Both languages in turn. */
const STEPS = [0, 1, 2, 3].map((place) => ({
  name: `step_${place}`,
  callable: `chaos.${LANGUAGES[place % 2]}`,
  dependencies: place === 0 ? [] : [`step_${place - 1}`],
}));
const OPEN_TASKS = 24;
/** Kept for the growth of what the engine holds; a leak of one process's buffers per kill is ten times that. */
const LIVE_KB_PER_KILL = 6;
const ALLOWANCE_KB = 6_000;

const database = useTestDatabase({ maxConnections: 3 });
const undo: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** The process of one language that is killed again and again. */
interface Victim {
  readonly language: Language;
  /** Serving now. */
  pid(): number | undefined;
  inFlight(): number;
}

test(
  `kill -9 of a busy Python and a busy Ruby process, ${KILLS} times each: nothing is lost, nothing is left`,
  async () => {
    const host = await startTestEngine({
      databaseUrl: database.url,
      templates: { chain: STEPS },
      languages: LANGUAGES,
      handlerFolders: { python: folderOf("python"), ruby: folderOf("ruby") },
      configure: lenient,
    });
    undo.push(() => host.engine.stop());
    const serving = (language: Language) =>
      host.engine.worker.languages.find((pool) => pool.language === language)?.supervisor?.metrics()
        .processes[0];
    const victims = LANGUAGES.map(
      (language): Victim => ({
        language,
        pid: () => serving(language)?.pid,
        inFlight: () => serving(language)?.inFlight ?? 0,
      }),
    );
    await rampage(host, victims);
  },
  120_000 + KILLS * 3_000,
);

test(
  `the same with processes that joined over a Unix socket, ${KILLS} times each`,
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "tasker-chaos-"));
    const address = `unix:${directory}/bridge.sock`;
    const host = await startTestEngine({
      databaseUrl: database.url,
      templates: { chain: STEPS },
      workingDirectory: directory,
      configure: (config) => {
        lenient(config);
        config.lease.handler_wait_seconds = 60;
        config.worker.join.addresses = [address];
        config.worker.join.token_file = "token";
      },
    });
    undo.push(async () => {
      await host.engine.stop();
      rmSync(directory, { recursive: true });
    });
    const victims = LANGUAGES.map((language): Victim => {
      const service = new Service(language, address, join(directory, "token"));
      undo.push(() => service.stop());
      const pool = () => host.engine.worker.pools.poolOf(`chaos.${language}`);
      return {
        language,
        // Not before the host counts on it.
        pid: () => ((pool()?.concurrency ?? 0) > 0 ? service.pid : undefined),
        inFlight: () => {
          const metrics = pool()?.channel.metrics();
          return metrics === undefined ? 0 : metrics.pendingCount - metrics.queuedCount;
        },
      };
    });
    await waitFor(() => victims.every((victim) => victim.pid() !== undefined), {
      timeoutMs: 30_000,
      describe: "a process of each language to join",
    });
    await rampage(host, victims);
  },
  120_000 + KILLS * 3_000,
);

/** Steps die here by chance, not by their own doing: however unlucky, none is given up for it. */
function lenient(
  config: Parameters<NonNullable<Parameters<typeof startTestEngine>[0]["configure"]>>[0],
): void {
  config.lease.max_deaths = 100;
  // Full early in the run: what grows after that is a leak.
  config.pump.cache_bytes = 1_048_576;
  config.worker.python.slots = 8;
  config.worker.ruby.slots = 8;
}

/** A process that somebody else starts, and starts again when it has ended. */
class Service {
  readonly #language: Language;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess;
  #isStopped = false;

  constructor(language: Language, address: string, tokenFile: string) {
    this.#language = language;
    this.#env = { TASKER_BRIDGE: address, TASKER_BRIDGE_TOKEN_FILE: tokenFile };
    this.#child = this.#start();
  }

  get pid(): number | undefined {
    return this.#child.exitCode === null && this.#child.signalCode === null
      ? this.#child.pid
      : undefined;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const child = this.#child;
    if (this.pid === undefined) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
  }

  #start(): ChildProcess {
    const { command, args, env } = BRIDGE_COMMANDS[this.#language]!(8);
    const own = args.map((arg, i) =>
      args[i - 1] === "--handlers" ? folderOf(this.#language) : arg,
    );
    const child = spawn(command, own, {
      stdio: "ignore",
      detached: true,
      env: { ...process.env, ...env, ...this.#env },
    });
    child.once("exit", () => {
      // What the host does for its own children, whoever starts one does for his.
      endGroup(child.pid);
      if (!this.#isStopped) this.#child = this.#start();
    });
    return child;
  }
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}

/** Kills all victims, each `KILLS` times and at its own pace, while tasks go through them; then counts. */
async function rampage(host: TestEngine, victims: readonly Victim[]): Promise<void> {
  const marker = String(randomInt(2 ** 47));
  const before = await newestTask(host);
  const load = new Load(host, "chain", { ms: 5, marker }, OPEN_TASKS);
  const memory = new MemoryLog();
  const filesBefore = openFiles();
  const results = await Promise.all(victims.map((victim) => killAgainAndAgain(victim, memory)));
  const tasks = await load.finish(120_000);
  const { steps, mostDeaths } = await expectNothingLost(host, tasks, STEPS.length, before);
  const growth = memory.growthKb();
  const respawns = results.flatMap((one) => one.respawnsMs);
  report(
    `${victims.map(({ language }) => language).join(" and ")}, ${KILLS} kills each: ${steps} steps in ${tasks} tasks, 0 lost, ` +
      `0 accepted twice; respawn ms p50 ${middle(respawns).toFixed(0)}, max ${Math.max(...respawns).toFixed(0)}; ` +
      `host live memory ${growth.live} KB, RSS ${growth.rss} KB over the run; ` +
      `open files ${filesBefore} then ${openFiles()}; most deaths of one step ${mostDeaths}`,
  );

  for (const { language, pids, respawnsMs } of results) {
    expect(new Set(pids).size, `processes of ${language} that were killed`).toBe(KILLS);
    expect(Math.min(...respawnsMs)).toBeGreaterThan(0);
    expect(Math.max(...respawnsMs), `respawn of ${language}`).toBeLessThanOrEqual(RESPAWN_MS);
  }
  expect(tasks).toBeGreaterThan(KILLS);
  expect(growth.live).toBeLessThan(ALLOWANCE_KB + KILLS * LIVE_KB_PER_KILL);
  expect(growth.live).toBeGreaterThan(-4 * ALLOWANCE_KB);
  expect(Math.abs(openFiles() - filesBefore), "open files").toBeLessThanOrEqual(6);
  await waitFor(() => zombies().length === 0, { describe: () => JSON.stringify(zombies()) });

  const serving = victims.map((victim) => victim.pid());
  const left = (): unknown[] => living({ marker }).filter(({ group }) => !serving.includes(group));
  await waitFor(() => left().length === 0, {
    describe: () => `no grandchildren: ${JSON.stringify(left())}`,
  });
  await Promise.all(
    undo
      .splice(0)
      .reverse()
      .map((step) => step()),
  );
  expect(living({ marker })).toEqual([]);
}

interface Kills {
  readonly language: Language;
  readonly pids: readonly number[];
  readonly respawnsMs: readonly number[];
}

async function killAgainAndAgain(victim: Victim, memory: MemoryLog): Promise<Kills> {
  const pids: number[] = [];
  const respawnsMs: number[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    const pid = await waitFor(() => victim.inFlight() > 0 && victim.pid(), {
      intervalMs: 2,
      timeoutMs: 30_000,
      describe: `a busy ${victim.language} process`,
    });
    // Mostly at once, when those that died before run alone; now and then with many beside each other.
    await sleep(Math.random() ** 3 * 300);
    process.kill(pid, "SIGKILL");
    const killedAt = performance.now();
    pids.push(pid);
    await waitFor(() => ![undefined, pid].includes(victim.pid()), {
      intervalMs: 2,
      timeoutMs: 30_000,
      describe: `another ${victim.language} process`,
    });
    respawnsMs.push(performance.now() - killedAt);
    if (kill % Math.ceil(KILLS / 100) === 0) memory.sample();
    await waitFor(() => living({ group: pid }).length === 0, {
      describe: () => `the group of ${pid} to be gone: ${JSON.stringify(living({ group: pid }))}`,
    });
  }
  return { language: victim.language, pids, respawnsMs };
}

function report(line: string): void {
  process.stderr.write(`chaos: ${line}\n`);
}
