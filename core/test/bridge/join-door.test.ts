import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type JoinDoorOptions, parseJoinAddress } from "../../src/bridge/index.js";
import { isTaskerError } from "../../src/errors/index.js";
import { waitFor } from "../support/wait-for.js";
import { DoorRig } from "./fixtures/door-rig.js";

const rigs: DoorRig[] = [];

async function openRig(options: Partial<JoinDoorOptions> = {}): Promise<DoorRig> {
  const rig = new DoorRig(options);
  rigs.push(rig);
  await rig.door.open();
  return rig;
}

afterEach(async () => {
  await Promise.all(rigs.splice(0).map((rig) => rig.close()));
});

describe("coming in", () => {
  test.each(["unix", "tcp"])(
    "over %s, with the token, and the host proves itself too",
    async (kind) => {
      const addresses = [parseJoinAddress("tcp:127.0.0.1:0")];
      const rig = await openRig(kind === "tcp" ? { addresses } : {});
      const client = rig.join();
      expect(await client.welcome()).toMatchObject({ resume_ms: 5000, keep: [], drop: [] });
      await waitFor("the proof", () => client.isProven);
      rig.offer();
      client.succeed((await client.step()).delivery_id, { ok: true });
      expect(await rig.outcomes(1)).toEqual(["success"]);
    },
  );

  test("a Unix socket is the owner's alone", async () => {
    const rig = await openRig();
    const path = (rig.door.addresses[0] ?? "").slice("unix:".length);
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
    expect((statSync(join(path, "..")).mode & 0o777).toString(8)).toBe("700");
  });

  test("what a host that died has left at the path is replaced; a living host's is not", async () => {
    const rig = await openRig();
    const addresses = [parseJoinAddress(rig.door.addresses[0] ?? "")];
    const second = new DoorRig({ addresses });
    rigs.push(second);
    const error = await second.door.open().catch((reason: unknown) => reason);
    expect(isTaskerError(error, "JOIN_ADDRESS_UNUSABLE")).toBe(true);

    const dead = `${rig.directory}/dead.sock`;
    const program = `require("net").createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, "SIGKILL"))`;
    expect(spawnSync(process.execPath, ["-e", program]).signal).toBe("SIGKILL");
    expect(statSync(dead).isSocket()).toBe(true);
    const heir = await openRig({ addresses: [parseJoinAddress(`unix:${dead}`)] });
    await heir.join().welcome();
  });

  test("without the token nobody works here", async () => {
    const rig = await openRig();
    const client = rig.join({ token: "another-token-of-some-length" });
    expect(await client.message("reject")).toMatchObject({ code: "auth" });
    await waitFor("the end", () => client.isClosed || undefined);
    expect(rig.peers).toEqual([]);
  });

  test("a second process of the same name is refused while the first is connected", async () => {
    const rig = await openRig();
    await rig.join({ workerId: "orders-1" }).welcome();
    const second = rig.join({ workerId: "orders-1" });
    expect((await second.message("reject")).code).toBe("duplicate_worker");
    await rig.join({ workerId: "orders-2" }).welcome();
    expect(rig.peers.map((peer) => peer.workerId)).toEqual(["orders-1", "orders-2"]);
  });

  test("who says nothing is sent away, and so are more than 32 strangers", async () => {
    const rig = await openRig({ handshakeTimeoutMs: 500 });
    const path = (rig.door.addresses[0] ?? "").slice("unix:".length);
    const sockets = Array.from({ length: 40 }, () => connect(path));
    const closed: number[] = [];
    sockets.forEach((socket, i) => {
      socket.on("error", () => undefined);
      socket.on("close", () => closed.push(i));
      socket.resume();
    });
    await waitFor("the eight beyond 32", () => (closed.length >= 8 ? true : undefined));
    expect(closed.length).toBeLessThan(40);
    await waitFor("everybody", () => (closed.length === 40 ? true : undefined));
    await rig.join().welcome();
  });

  test("TLS where a certificate is given", async () => {
    const files = selfSigned();
    const rig = await openRig({
      addresses: [parseJoinAddress("tcp:127.0.0.1:0")],
      handshakeTimeoutMs: 1000,
      tls: { cert: files.cert, key: files.key },
    });
    const client = rig.join({ ca: files.cert });
    await client.welcome();
    rig.offer();
    client.succeed((await client.step()).delivery_id, 1);
    expect(await rig.outcomes(1)).toEqual(["success"]);
    const plain = rig.join({ workerId: "plain" });
    await waitFor("the refusal", () => plain.isClosed || undefined);
  });
});

describe("a connection that breaks", () => {
  test("comes back with what it holds: kept, finished once; what it lost is redelivered", async () => {
    const rig = await openRig();
    const first = rig.join({ resumeId: "r1" });
    await first.welcome();
    rig.offer();
    rig.offer();
    const kept = await first.step(0);
    await first.step(1);
    first.breakConnection();
    await waitFor("the break", () => (rig.peers[0]?.isConnected === false ? true : undefined));
    expect(rig.peers[0]?.session.free).toBe(0);

    const second = rig.join({ resumeId: "r1", held: [kept.delivery_id, "not-known"] });
    expect(await second.welcome()).toMatchObject({
      keep: [kept.delivery_id],
      drop: ["not-known"],
    });
    expect(await rig.outcomes(1)).toEqual(["lost: worker_lost"]);
    second.succeed(kept.delivery_id, "done");
    expect(await rig.outcomes(2)).toEqual(["lost: worker_lost", "success"]);
    rig.offer();
    second.succeed((await second.step()).delivery_id, "more");
    expect(await rig.outcomes(3)).toHaveLength(3);
    expect(rig.peers).toHaveLength(1);
  });

  test("and does not come back in time: everything is redelivered", async () => {
    const rig = await openRig({ resumeMs: 100 });
    const client = rig.join({ resumeId: "r1" });
    await client.welcome();
    rig.offer();
    await client.step();
    client.breakConnection();
    expect(await rig.outcomes(1)).toEqual(["lost: worker_lost"]);
    await waitFor("its leave", () => (rig.peers.length === 0 ? true : undefined));
  });

  test("a process that started anew under its name does not wait for the old one", async () => {
    const rig = await openRig({ resumeMs: 60_000 });
    const first = rig.join({ resumeId: "r1" });
    await first.welcome();
    rig.offer();
    await first.step();
    first.breakConnection();
    await waitFor("the break", () => (rig.peers[0]?.isConnected === false ? true : undefined));
    await rig.join({ resumeId: "r2" }).welcome();
    expect(await rig.outcomes(1)).toEqual(["lost: worker_lost"]);
    await waitFor("one peer", () => (rig.peers.length === 1 ? true : undefined));
  });

  test("silence: after three pings no new work, after six it is lost", async () => {
    const rig = await openRig({ pingMs: 100, resumeMs: 0 });
    const client = rig.join();
    client.answersPings = false;
    await client.welcome();
    rig.offer();
    await client.step();
    await waitFor("suspicion", () => (rig.peers[0]?.session.free === 0 ? true : undefined));
    expect(client.isClosed).toBe(false);
    expect(await rig.outcomes(1)).toEqual(["lost: worker_lost"]);
    await waitFor("the end", () => client.isClosed || undefined);
  });
});

test("a host that stops lets them finish", async () => {
  const rig = await openRig();
  const client = rig.join();
  await client.welcome();
  rig.offer();
  const step = await client.step();
  const closed = rig.door.close(10_000);
  await client.message("drain");
  client.succeed(step.delivery_id, 1);
  client.send({ type: "bye", reason: "drained" });
  client.close();
  await closed;
  expect(await rig.outcomes(1)).toEqual(["success"]);
});

function selfSigned(): { cert: string; key: string } {
  const directory = mkdtempSync(join(tmpdir(), "tasker-tls-"));
  const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "1",
      "-keyout",
      key,
      "-out",
      cert,
      ...subject,
    ],
    { stdio: "ignore" },
  );
  const files = { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  rmSync(directory, { recursive: true });
  return files;
}
