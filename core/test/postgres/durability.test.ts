import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createPool } from "../../src/db/index.js";
import { judgeDurability } from "../../src/postgres/durability.js";
import { assertDurable, assertSupportedVersion } from "../../src/postgres/index.js";
import { usePostgresSandbox } from "./support.js";

const sandbox = usePostgresSandbox();
const durable = { fsync: "on", full_page_writes: "on", synchronous_commit: "on" };

describe("assertDurable", () => {
  it("accepts our own cluster without a word, and refuses one with fsync=off unless allowed", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const check = async (settings: Record<string, string>, allowUnsafe: boolean) => {
      const server = await sandbox.start({ dataDir, settings });
      const pool = createPool({ url: server.url, max: 1 });
      try {
        return await assertDurable(pool, { allowUnsafe });
      } finally {
        await pool.close();
        await server.stop();
      }
    };
    expect(await check({}, false)).toBeNull();
    await expect(check({ fsync: "off" }, false)).rejects.toMatchObject({
      code: "DATABASE_UNSAFE",
      message: expect.stringContaining("fsync=off"),
    });
    expect(await check({ fsync: "off" }, true)).toContain("fsync=off");
    expect(await check({ synchronous_commit: "off" }, false)).toContain("acknowledged tasks");
  });

  it("names every setting that is unsafe", () => {
    const settings = { ...durable, fsync: "off", full_page_writes: "off" };
    expect(() => judgeDurability(settings, { allowUnsafe: false })).toThrow(
      "fsync=off and full_page_writes=off",
    );
    expect(() =>
      judgeDurability({ ...durable, full_page_writes: "off" }, { allowUnsafe: false }),
    ).toThrow("full_page_writes=off");
  });
});

describe("assertSupportedVersion", () => {
  it.each(["15.0", "15.18 (Debian 15.18-0+deb12u1)", "16.2", "17.1", "18.4"])(
    "accepts %s",
    (version) => {
      expect(() => assertSupportedVersion(version)).not.toThrow();
    },
  );

  it.each(["14.12", "9.6.24", "19beta1"])("refuses %s, naming it and the range", (version) => {
    expect(() => assertSupportedVersion(version)).toThrow(
      `Postgres ${version} is not supported: Tasker is tested on 15 to 18`,
    );
  });
});
