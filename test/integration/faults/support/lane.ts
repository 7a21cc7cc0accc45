import { expect } from "vitest";
import type { EngineRole } from "../../../../core/src/bootstrap.js";
import { assertIntegrity } from "../../../sql/support/sql-host.js";
import { createTestDatabase, type TestDatabase } from "../../../support/test-database.js";
import { waitFor } from "../../../support/wait-for.js";
import { createFromOutside, RECORDS, valuesFor } from "./chain.js";
import { HostHandle } from "./host-handle.js";
import { type Look, look, runsOf, stepsOf, taskOf } from "./observe.js";
import { Obstruction } from "./obstruction.js";
import type { KillPoint } from "./points.js";

export const LEASE_SECONDS = 2;
const LEASE_MS = LEASE_SECONDS * 1000;
const MOST_MS = LEASE_MS + 2_000;

/** Who goes on: a host that was there all the time, or one that is started when the victim has died. */
export type Successor = "survivor" | "restart";

export interface KillRow {
  readonly role: EngineRole;
  readonly point: string;
  readonly successor: Successor;
  readonly recoveredMs: number;
  /** Handler runs of the task beyond the five that it takes. */
  readonly repeated: number;
  readonly verdict: string;
}

/**
 * One role's kill points one after the other, on a database of its own. A survivor is stopped (SIGSTOP) until the
 * victim is dead, so that the victim has the work; then it goes on as it is, with its connections and its sleep.
 */
export class Lane {
  readonly #program: string;
  readonly #role: EngineRole;
  readonly #successor: Successor;
  readonly #hosts = new Set<HostHandle>();
  #database: TestDatabase | undefined;
  #partner: HostHandle | undefined;
  #obstacle: Obstruction | undefined;
  #tasks = 0;

  /** @param program the bundle of `host-process.ts` */
  constructor(program: string, role: EngineRole, successor: Successor) {
    this.#program = program;
    this.#role = role;
    this.#successor = successor;
  }

  async run(points: readonly KillPoint[]): Promise<KillRow[]> {
    const database = await createTestDatabase({ maxConnections: 4 });
    this.#database = database;
    try {
      await database.pool.query(RECORDS);
      const partnerRole = { all: undefined, server: "worker", worker: "server" } as const;
      const role = partnerRole[this.#role];
      if (role !== undefined) this.#partner = await this.#host(role).start();
      const rows: KillRow[] = [];
      const survivor =
        this.#successor === "survivor" ? await this.#host(this.#role).start() : undefined;
      let standby = this.#host(this.#role);
      let victim = await standby.start();
      standby = this.#host(this.#role);
      for (const point of points) {
        await standby.loaded();
        rows.push(await this.#row(point, victim, survivor ?? standby));
        victim = await standby.start();
        // Loads while the next one dies and its lease runs out.
        standby = this.#host(this.#role);
      }
      await assertIntegrity(database.pool);
      return rows;
    } finally {
      await Promise.all([...this.#hosts].map((host) => host.stop()));
      await database.drop();
    }
  }

  async #row(point: KillPoint, victim: HostHandle, successor: HostHandle): Promise<KillRow> {
    const figures = { recoveredMs: Number.NaN, repeated: Number.NaN };
    let verdict = "right";
    try {
      await this.#scenario(point, victim, successor, figures);
    } catch (error) {
      verdict = error instanceof Error ? error.message : String(error);
      await this.#removeObstacle();
      victim.signal("SIGKILL"); // a victim that outlived its point would take the next one's work
      successor.signal("SIGCONT");
    }
    return { role: this.#role, point: point.name, successor: this.#successor, ...figures, verdict };
  }

  async #scenario(
    point: KillPoint,
    victim: HostHandle,
    successor: HostHandle,
    figures: { recoveredMs: number; repeated: number },
  ): Promise<void> {
    const { pool } = this.#db;
    this.#tasks += 1;
    const n = this.#tasks;
    const key = `${point.name} ${n}`;
    if (this.#successor === "survivor") successor.signal("SIGSTOP");
    const looks: Look[] = [];
    await this.#kill(point, victim, n, key);
    const diedAt = performance.now();
    const atDeath = await look(pool, victim.pid);
    looks.push(atDeath);
    if (this.#obstacle !== undefined) {
      await this.#removeObstacle();
      looks.push(await look(pool, victim.pid));
    }
    if (this.#successor === "survivor") successor.signal("SIGCONT");
    else await successor.start();
    this.#partner?.say({ do: "release" });
    // A client without an answer asks again; one with an answer finds its task.
    const repeat = await createFromOutside(pool, n, key);
    expect(repeat.existed, "the task existed when the client asked again").toBe(
      point.name !== "before accept",
    );

    await waitFor(async () => (await taskOf(pool, repeat.taskUuid)).state === "complete", {
      timeoutMs: 15_000,
      intervalMs: 10,
      describe: "the task to complete",
    });
    figures.recoveredMs = Math.round(performance.now() - diedAt);
    await this.#expectRightEnd(repeat.taskUuid, n, point, looks, figures);
    for (const { disagreeing } of looks) expect(disagreeing, "state and message agree").toEqual([]);
    if (point.leased !== null) expect(atDeath.leases.length, "leased steps").toBe(point.leased);
    for (const [step, states] of Object.entries(point.states ?? {})) {
      expect(states, `state of ${step} at the death`).toContain(atDeath.states[step]);
    }
  }

  /** Brings the victim to its point. Resolves when it is dead; where a call was open, it still is. */
  async #kill(point: KillPoint, victim: HostHandle, n: number, key: string): Promise<void> {
    const { pool, url } = this.#db;
    const { fault } = point;
    const runner = this.#role === "server" ? (this.#partner as HostHandle) : victim;
    if ("at" in fault) await victim.arm(fault);
    else await runner.hold("inCall" in fault ? fault.inCall.step : fault.inHandlerOf);
    if (point.creator === "outside") await createFromOutside(pool, n, key);
    else (point.creator === "victim" ? victim : this.#partner)?.say({ do: "create", n, key });
    if (!("at" in fault)) {
      await runner.hear("held");
      if ("inCall" in fault) {
        this.#obstacle = await Obstruction.raise(url, fault.inCall);
        runner.say({ do: "release" });
        await this.#obstacle.isMet();
      }
      victim.signal("SIGKILL");
    }
    expect(await victim.ended(), "what ended the victim").toBe("SIGKILL");
  }

  async #expectRightEnd(
    taskUuid: string,
    n: number,
    point: KillPoint,
    looks: readonly Look[],
    figures: { recoveredMs: number; repeated: number },
  ): Promise<void> {
    const { pool } = this.#db;
    const steps = await stepsOf(pool, taskUuid);
    const values = Object.fromEntries(steps.map((step) => [step.name, step.value]));
    expect(values, "final values").toEqual(valuesFor(n));
    expect(
      steps.map(({ name, successes, failures }) => [name, successes, failures]),
      "accepted results by step: good ones, failures",
    ).toEqual([
      ["one", 1, 0],
      ["two", 1, 0],
      ["again", 1, 1],
      ["last", 1, 0],
    ]);
    const task = await taskOf(pool, taskUuid);
    expect(task.count, "tasks in the database").toBe(this.#tasks);
    const runs = await runsOf(pool, taskUuid);
    figures.repeated = runs.length - 5;
    expect(new Set(runs.map(({ key }) => key)).size, "idempotency keys").toBe(4);
    for (const { step, attempt } of runs) {
      const same = runs.filter((run) => run.step === step && run.attempt === attempt);
      expect(same.length, `runs of ${step}, attempt ${attempt}`).toBeLessThanOrEqual(2);
    }
    // What nobody had leased goes on at once and runs once; what the victim had waits until its lease has ended.
    const leases = looks.flatMap((seen) => seen.leases);
    if (leases.length === 0) expect(figures.repeated, "repeated runs").toBe(0);
    const last = looks.at(-1)?.leases ?? [];
    for (const { step, until } of last) {
      const later = runs.filter((run) => run.step === step && run.at > (looks.at(-1) as Look).at);
      for (const run of later) {
        expect(run.at.getTime(), `${step} ran again after its lease`).toBeGreaterThanOrEqual(
          until.getTime(),
        );
      }
      expect(task.completedAt.getTime(), "completed after the lease").toBeGreaterThanOrEqual(
        until.getTime(),
      );
    }
    expect(
      figures.recoveredMs,
      `milliseconds until it was done (${point.name})`,
    ).toBeLessThanOrEqual(MOST_MS);
  }

  async #removeObstacle(): Promise<void> {
    await this.#obstacle?.remove();
    this.#obstacle = undefined;
  }

  get #db(): TestDatabase {
    if (this.#database === undefined) throw new Error("the lane is not running");
    return this.#database;
  }

  #host(role: EngineRole): HostHandle {
    const { url } = this.#db;
    const host = new HostHandle(this.#program, {
      databaseUrl: url,
      role,
      leaseSeconds: LEASE_SECONDS,
    });
    this.#hosts.add(host);
    return host;
  }
}
