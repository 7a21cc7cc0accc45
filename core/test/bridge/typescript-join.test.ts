/** `tasker-worker` on Node, Bun and Deno: joining over sockets, coming back after a broken connection, the stdio lane. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import {
  buildChallenge,
  buildWelcome,
  encodeFrame,
  FrameDecoder,
  type HelloHeader,
  judgeHello,
} from "@tasker-core/sdk/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parseJoinAddress } from "../../src/bridge/index.js";
import { waitFor } from "../support/wait-for.js";
import { DoorRig, TOKEN } from "./fixtures/door-rig.js";
import {
  buildTypeScriptProgram,
  missing,
  type Runtime,
  type TypeScriptProgram,
} from "./fixtures/typescript-program.js";

let program: TypeScriptProgram;
const rigs: DoorRig[] = [];
const children: ChildProcess[] = [];
const wires: Wire[] = [];

beforeAll(() => {
  program = buildTypeScriptProgram();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const wire of wires.splice(0)) wire.close();
  await Promise.all(rigs.splice(0).map((rig) => rig.close()));
});
afterAll(() => program.remove());

interface Started {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  stderr(): string;
}

function start(runtime: Runtime, address: string, token = TOKEN): Started {
  const tokenFile = join(program.folder, `token-${token}`);
  writeFileSync(tokenFile, `${token}\n`);
  const { command, args } = program.commandFor(runtime, "--worker-id", "ts-1");
  const child = spawn(command, args, {
    cwd: program.folder,
    env: { ...process.env, TASKER_BRIDGE: address, TASKER_BRIDGE_TOKEN_FILE: tokenFile },
    stdio: ["pipe", "pipe", "pipe"],
  });
  children.push(child);
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, exited, stderr: () => text };
}

async function openRig(kind: "unix" | "tcp" = "unix"): Promise<DoorRig> {
  const tcp = { addresses: [parseJoinAddress("tcp:127.0.0.1:0")] };
  const rig = new DoorRig(kind === "tcp" ? tcp : {});
  rigs.push(rig);
  await rig.door.open();
  return rig;
}

for (const runtime of ["node", "bun", "deno"] as const) {
  const why = missing(runtime);
  if (why !== null) process.stderr.write(`skipped: ${why}\n`);
  describe.skipIf(why !== null)(`on ${runtime}`, { timeout: 60_000 }, () => {
    it.each(["unix", "tcp"] as const)("joins over %s and leaves in order", async (kind) => {
      const rig = await openRig(kind);
      const { child, exited } = start(runtime, rig.door.addresses[0] ?? "");
      rig.offer({}, { order: 7 });
      rig.offer({ callable: "shop.order.one@0.1.0" });
      rig.offer({ callable: "refuse" });
      expect((await rig.outcomes(3)).sort()).toEqual(["failure", "success", "success"]);
      expect(rig.peers[0]).toMatchObject({ workerId: "ts-1", language: "typescript" });
      expect(rig.peers[0]?.templates).toMatchObject([{ name: "order", namespace_name: "shop" }]);
      child.kill("SIGTERM");
      expect(await exited).toBe(0);
      await waitFor("the peer to be gone", () => rig.peers.length === 0);
    });

    it("goes on with what it holds after its connection broke", async () => {
      const rig = await openRig();
      const wire = new Wire(join(rig.directory, "wire.sock"), rig.door.addresses[0] ?? "");
      wires.push(wire);
      const { stderr } = start(runtime, await wire.open());
      await waitFor("the peer", () => rig.peers.length === 1);
      rig.offer({ callable: "stubborn" }, { ms: 1500 });
      // Sent is not received: what is cut on its way is redelivered.
      await waitFor("the step to run", () => stderr().includes("stubborn runs"));
      wire.cut();
      await waitFor("the break", () => rig.peers[0]?.isConnected === false);
      expect(await rig.outcomes(1)).toEqual(["success"]);
      expect(rig.peers).toHaveLength(1);
      expect(rig.peers[0]!.isConnected).toBe(true);
    });

    it("does not start with another token", async () => {
      const rig = await openRig();
      const { exited, stderr } = start(runtime, rig.door.addresses[0] ?? "", "another-token");
      expect(await exited).toBe(1);
      expect(stderr()).toContain("auth");
    });

    it("speaks over its standard streams, and what handlers print does not disturb", async () => {
      const { child, exited, stderr } = start(runtime, "stdio");
      const frames = new StdioHost(child);
      const hello = await frames.greet();
      expect(hello.language).toBe("typescript");
      frames.send(
        {
          type: "step",
          delivery_id: "d-1",
          task_uuid: "t",
          step_uuid: "s",
          correlation_id: "c",
          callable: "speak",
          pool: "default",
          attempt: 1,
          max_attempts: 1,
          timeout_ms: 5000,
          lease_ms: 5000,
        },
        STEP,
      );
      const result = await frames.take("result");
      expect(result).toMatchObject({ delivery_id: "d-1", split: 2 });
      await waitFor("the lines", () => stderr().includes("a console line"));
      expect(stderr()).toContain("a plain line");
      child.stdin?.end();
      expect(await exited).not.toBeNull();
    });
  });
}

const STEP = JSON.stringify({
  task: { task: { context: {} }, task_name: "t", task_version: "1.0.0", namespace_name: "n" },
  workflow_step: { name: "step" },
  dependency_results: {},
  step_definition: { name: "step" },
});

/** Between a process and its host: can be cut, as networks are. */
class Wire {
  readonly #path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(path: string, to: string) {
    this.#path = path;
    this.#server = createServer((near) => {
      const far = connect({ path: to.slice("unix:".length) });
      for (const [from, onto] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on("error", () => undefined);
        from.once("close", () => onto.destroy());
        from.pipe(onto);
      }
    });
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(this.#path, resolve));
    return `unix:${this.#path}`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

/** The host's end of a process's standard streams. */
class StdioHost {
  readonly #child: ChildProcess;
  readonly #frames: { header: { type: string }; body: Uint8Array }[] = [];

  constructor(child: ChildProcess) {
    this.#child = child;
    const decoder = new FrameDecoder();
    child.stdout?.on("data", (chunk: Buffer) => {
      for (const frame of decoder.push(chunk)) {
        if (frame.kind !== "frame") throw new Error(`the process sent ${frame.kind}`);
        this.#frames.push({ header: frame.header, body: frame.body });
      }
    });
  }

  send(header: object, body = ""): void {
    for (const part of encodeFrame(header, Buffer.from(body))) this.#child.stdin?.write(part);
  }

  async greet(): Promise<HelloHeader> {
    const challenge = buildChallenge({ hostId: "host", auth: "none" });
    this.send(challenge);
    const frame = await this.#next("hello");
    const hello = frame.header as HelloHeader;
    const body: unknown = JSON.parse(Buffer.from(frame.body).toString());
    const verdict = judgeHello(challenge, hello, body, null);
    expect(verdict).toMatchObject({ accepted: true });
    const terms = { connection_id: "1", ping_ms: 5000, lease_ms: 5000, resume_ms: 5000 };
    this.send(buildWelcome(challenge, hello, null, { ...terms, keep: [], drop: [] }));
    return hello;
  }

  async take(type: string): Promise<unknown> {
    return (await this.#next(type)).header;
  }

  async #next(type: string) {
    return await waitFor(`a ${type}`, () =>
      this.#frames.find(({ header }) => header.type === type),
    );
  }
}
