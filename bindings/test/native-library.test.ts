import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { NativeBuilds, nativeObstacle } from "../../test/support/native.js";
import { waitFor } from "../../test/support/wait-for.js";
import { type NativeLibrarySettings, NativePool, resultOf } from "./native-pool.js";

describe.skipIf(nativeObstacle() !== null)("a native library", () => {
  const builds = new NativeBuilds();
  const pools: NativePool[] = [];
  const built = new Map<string, string>();
  const library = (source: string, ...flags: string[]): string => {
    const key = [source, ...flags].join(" ");
    const path = built.get(key) ?? builds.c(source, flags);
    built.set(key, path);
    return path;
  };
  const full = () => library("examples/native-c/full.c");
  const simple = () => library("examples/native-c/simple.c");
  const faultyFull = (...flags: string[]) =>
    library("bindings/test/fixtures/faulty-full.c", ...flags);
  const faultySimple = () => library("bindings/test/fixtures/faulty-simple.c");
  const start = async (settings: NativeLibrarySettings): Promise<NativePool> => {
    const pool = await NativePool.start(settings);
    pools.push(pool);
    return pool;
  };
  /** A pool that several tests use: none of them leaves a mark on it. */
  const shared = new Map<string, Promise<NativePool>>();
  const share = async (settings: NativeLibrarySettings): Promise<NativePool> => {
    const key = JSON.stringify(settings);
    const pool = shared.get(key) ?? NativePool.start(settings);
    shared.set(key, pool);
    return await pool;
  };
  afterEach(async () => {
    await Promise.all(pools.splice(0).map((pool) => pool.stop()));
  });
  afterAll(async () => {
    await Promise.all([...shared.values()].map(async (pool) => (await pool).stop()));
    builds.remove();
  });

  describe.each([false, true])("with isolated = %s", (isolated) => {
    test("a full library answers many steps at once, each its own", async () => {
      const pool = await share({ path: full(), isolated });
      const contexts = Array.from({ length: 200 }, (_, n) => ({ n, text: `é ${n}` }));
      const outcomes = await Promise.all(contexts.map((context) => pool.run("c.echo", context)));
      expect(outcomes.map(resultOf)).toEqual(contexts);
    });

    test("a simple library runs on a thread per slot", async () => {
      const pool = await start({ path: simple(), slots: 2, isolated });
      const values = await Promise.all([1, 2, 1].map((n) => pool.run("c.checksum", { n })));
      const [first, second, third] = values.map(resultOf);
      expect(first).toEqual(third);
      expect(first).not.toEqual(second);
      expect(await pool.run("c.reject")).toMatchObject({
        outcome: "failure",
        errorType: "Rejected",
        message: "the sample was refused",
        retryable: false,
      });
    });

    test("a handler's own failure is the step's", async () => {
      const pool = await share({ path: full(), isolated });
      expect(await pool.run("c.fail")).toMatchObject({
        outcome: "failure",
        kind: "handler",
        message: "this step always fails",
        retryable: false,
      });
    });

    test("a cancelled step is told, and says so", async () => {
      const pool = await share({ path: full(), isolated });
      const { deliveryId } = pool.offer("c.wait");
      await waitFor(() => pool.channel.isHeld(deliveryId));
      pool.channel.cancel(deliveryId, "task_cancelled");
      expect(await pool.outcome(deliveryId)).toMatchObject({ kind: "cancelled" });
    });

    test("a step past its deadline fails as retryable", async () => {
      const pool = await share({ path: full(), isolated });
      expect(await pool.run("c.wait", {}, { timeoutMs: 50 })).toMatchObject({
        kind: "timeout",
        retryable: true,
      });
      expect(resultOf(await pool.run("c.echo", { still: "here" }))).toEqual({ still: "here" });
    });

    test.each([
      ["utf8", { kind: "invalid_result", retryable: false }],
      ["not_json", { kind: "invalid_result", retryable: false }],
      ["split", { kind: "invalid_result", retryable: false }],
      ["overlong", { kind: "payload_too_large", retryable: false }],
    ])("a full library's bad answer fails its step and no other: %s", async (callable, failure) => {
      const pool = await share({ path: faultyFull(), isolated });
      expect(await pool.run(callable)).toMatchObject({ outcome: "failure", ...failure });
      expect(resultOf(await pool.run("ok"))).toBe(true);
    });

    test("answers to other steps, second answers and unreadable headers change nothing", async () => {
      const pool = await share({ path: faultyFull(), isolated });
      expect(resultOf(await pool.run("stranger"))).toBe("mine");
      expect(resultOf(await pool.run("twice"))).toBe(1);
      expect(resultOf(await pool.run("header"))).toBe("after a bad one");
    });

    test.each(["garbage", "lie"])("after nonsense it is opened anew: %s", async (callable) => {
      const pool = await start({ path: faultyFull(), isolated });
      expect(resultOf(await pool.run("ok"))).toBe(true);
      expect(await pool.run(callable)).toMatchObject({
        outcome: "lost",
        alone: true,
        reason: "worker_lost",
      });
      expect(resultOf(await pool.run("ok"))).toBe(true);
      expect(pool.supervisor.metrics()).toMatchObject({ spawned: 2, crashed: 1 });
    });

    test("a full library that never answers is given up, and replaced", async () => {
      const pool = await start({ path: faultyFull(), slots: 1, isolated });
      expect(await pool.run("silent", {}, { timeoutMs: 50 })).toMatchObject({ kind: "timeout" });
      expect(resultOf(await pool.run("ok"))).toBe(true);
    });

    test.each([
      ["code", { kind: "invalid_result", message: expect.stringContaining("returned 77") }],
      ["utf8", { kind: "invalid_result", retryable: false }],
      ["garbage", { kind: "invalid_result", retryable: false }],
      ["error", { kind: "handler", message: expect.stringContaining("not JSON") }],
    ])("a simple library's bad answer fails its step: %s", async (callable, failure) => {
      const callables = ["ok", "nothing", "code", "utf8", "garbage", "error"];
      const pool = await share({ path: faultySimple(), callables, isolated });
      expect(await pool.run(callable)).toMatchObject({ outcome: "failure", ...failure });
      expect(resultOf(await pool.run("ok"))).toBe(true);
      expect(resultOf(await pool.run("nothing"))).toBeNull();
    });

    test.each([
      [
        "another version of the ABI",
        () => ({ path: faultyFull("-DABI=99") }),
        /built for version 99 of the ABI, this host speaks 1/,
      ],
      [
        "a missing export",
        () => ({ path: faultyFull("-DNO_DRAIN") }),
        /does not export `tasker_handler_drain`/,
      ],
      ["no handler library at all", () => ({ path: fileThatIsNoLibrary() }), /cannot be loaded/],
      [
        "a library that refuses to open",
        () => ({ path: faultyFull(), settings: { mode: "refuse" } }),
        /`open` returned 3: there is no licence/,
      ],
      [
        "a manifest that is not JSON",
        () => ({ path: faultyFull(), settings: { mode: "bad_manifest" } }),
        /Expected the body of `hello` to be JSON/,
      ],
      [
        "a simple library whose handlers nobody names",
        () => ({ path: faultySimple() }),
        /no manifest, and the configuration names no `callables`/,
      ],
    ])("does not start: %s", async (_, settings, message) => {
      await expect(start({ ...settings(), isolated })).rejects.toThrow(message);
    });
  });

  test("isolated, a crash costs the helper process and not the host", async () => {
    for (const settings of [
      { path: faultyFull() },
      { path: faultySimple(), callables: ["ok", "segv"] },
    ]) {
      const pool = await start({ ...settings, isolated: true });
      expect(resultOf(await pool.run("ok"))).toBe(true);
      const lost = await pool.run("segv");
      expect(lost).toMatchObject({ outcome: "lost", reason: "worker_lost", alone: true });
      expect(lost).toMatchObject({ message: expect.stringContaining("SIGSEGV") });
      expect(resultOf(await pool.run("ok"))).toBe(true);
    }
  });

  test("isolated, a call that hangs is ended with its process", async () => {
    const settings = { path: faultySimple(), callables: ["ok", "hang"], slots: 1 };
    const pool = await start({ ...settings, isolated: true });
    const [before] = pool.supervisor.metrics().processes;
    const hanging = await pool.run("hang", {}, { timeoutMs: 50 });
    expect(hanging).toMatchObject({ kind: "timeout", retryable: true });
    expect(resultOf(await pool.run("ok"))).toBe(true);
    const pids = () => pool.supervisor.metrics().processes.map(({ pid }) => pid);
    await waitFor(() => !pids().includes(before?.pid ?? 0), { describe: "the old one to end" });
    expect(pids()).toHaveLength(1);
  });

  test("a checksum that is not the file's is refused before anything of it runs", async () => {
    const path = full();
    const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
    const wrong = `${sha256[0] === "0" ? "1" : "0"}${sha256.slice(1)}`;
    await expect(start({ path, sha256: wrong })).rejects.toMatchObject({
      code: "NATIVE_LIBRARY_UNUSABLE",
      message: expect.stringContaining(`its sha256 is ${sha256}`),
    });
    const pool = await start({ path, sha256: sha256.toUpperCase() });
    expect(resultOf(await pool.run("c.echo", { n: 1 }))).toEqual({ n: 1 });
  });

  test.each([
    ["lib/there.so", "has to be absolute"],
    ["/nowhere/there.so", "there is no such file"],
  ])("a path that cannot be: %s", async (path, message) => {
    await expect(start({ path, name: "mine" })).rejects.toMatchObject({
      code: "NATIVE_LIBRARY_UNUSABLE",
      message: expect.stringMatching(new RegExp(`\`mine\` \\(${path}\\).*${message}`)),
    });
  });

  test("steps in hand are finished when the pool stops", async () => {
    const pool = await start({ path: full(), slots: 2 });
    const { deliveryId } = pool.offer("c.spin", { spin_ms: 150 });
    await waitFor(() => pool.channel.isHeld(deliveryId));
    await pool.stop(5000);
    expect(resultOf(await pool.outcome(deliveryId))).toBe(true);
  });
});

function fileThatIsNoLibrary(): string {
  return new URL("./native-pool.ts", import.meta.url).pathname;
}
