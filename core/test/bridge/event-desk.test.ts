import type { HostHeader } from "@tasker-core/sdk/protocol";
import { describe, expect, it } from "vitest";
import { EventDesk, type EventDeskPeer } from "../../src/bridge/event-desk.js";
import { EVENT_WINDOW, PeerEvents } from "../../src/bridge/peer-events.js";
import type { PeerLink } from "../../src/bridge/peer-link.js";

const BODY = Buffer.from("{}");

class Process implements EventDeskPeer {
  readonly sent: string[] = [];
  readonly nacks: string[] = [];
  readonly failed: string[] = [];
  isRetiring = false;
  isOpen = true;
  readonly events: PeerEvents;

  constructor(lifecycle: readonly string[], desk: () => EventDesk) {
    const connection = {
      isCongested: false,
      send: (header: HostHeader) => {
        if (header.type === "notify") this.sent.push(header.name);
      },
      nack: (code: string, detail: string) => void this.nacks.push(`${code}: ${detail}`),
    } as unknown as PeerLink;
    Object.defineProperty(connection, "isOpen", { get: () => this.isOpen });
    this.events = new PeerEvents({
      connection,
      maxFrame: 128 * 1024,
      interest: { lifecycle, domain: [] },
      publishers: [],
      onChange: () => desk().changed(),
      onFailed: (stream, count) => void this.failed.push(`${stream} ${count}`),
    });
  }

  done(seq: number, failed = 0): void {
    this.events.notified({ type: "notified", seq, lifecycle_failed: failed, domain_failed: 0 });
  }
}

function scene(...patterns: string[][]) {
  const peers: Process[] = [];
  const desk: EventDesk = new EventDesk(() => peers);
  for (const each of patterns) peers.push(new Process(each, () => desk));
  desk.changed();
  return { desk, peers };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("events for the processes of one language", () => {
  it("go to one process each, the same as long as it lives and does not retire", async () => {
    const { desk, peers } = scene(["task.*"], ["*"]);
    const [first, second] = peers as [Process, Process];
    await desk.notify("lifecycle", "task.started", BODY);
    await desk.notify("lifecycle", "step.started", BODY);
    expect([first.sent, second.sent]).toEqual([["task.started"], ["step.started"]]);
    first.isRetiring = true;
    await desk.notify("lifecycle", "task.failed", BODY);
    expect(second.sent).toEqual(["step.started", "task.failed"]);
    peers.pop();
    await desk.notify("lifecycle", "task.failed", BODY);
    expect(first.sent).toEqual(["task.started", "task.failed"]);
    await desk.notify("domain", "order.paid", BODY); // nobody wants it
    expect(first.sent).toHaveLength(2);
  });

  it("wait while the process has as many as it may have", async () => {
    const { desk, peers } = scene(["*"]);
    const [only] = peers as [Process];
    for (let n = 0; n < EVENT_WINDOW; n += 1) await desk.notify("lifecycle", "a.b", BODY);
    let isSent = false;
    const late = desk.notify("lifecycle", "c.d", BODY).then(() => {
      isSent = true;
    });
    await turn();
    expect([isSent, only.sent.length]).toEqual([false, EVENT_WINDOW]);
    only.done(1);
    await late;
    expect(only.sent).toHaveLength(EVENT_WINDOW + 1);
  });

  it("wait for the next process when there is none; what it wants is remembered", async () => {
    const { desk, peers } = scene(["task.*"]);
    const interests: string[] = [];
    desk.onInterest = (interest) => void interests.push(JSON.stringify(interest));
    peers.length = 0;
    desk.changed();
    expect(desk.interest.lifecycle).toEqual(["task.*"]);
    const late = desk.notify("lifecycle", "task.started", BODY);
    await turn();
    const next = new Process(["task.*"], () => desk);
    peers.push(next);
    desk.changed();
    await late;
    expect(next.sent).toEqual(["task.started"]);
    expect(interests).toEqual([]);
    next.events.interest = { lifecycle: [], domain: ["order.*"] };
    expect(interests).toEqual(['{"lifecycle":[],"domain":["order.*"]}']);
  });

  it("are idle when all are dealt with; failures are told as they grow", async () => {
    const { desk, peers } = scene(["*"]);
    const [only] = peers as [Process];
    await desk.notify("lifecycle", "a.b", BODY);
    await desk.notify("lifecycle", "a.b", BODY);
    let isIdle = false;
    const idle = desk.idle().then(() => {
      isIdle = true;
    });
    only.done(1, 1);
    await turn();
    expect(isIdle).toBe(false);
    only.done(2, 3);
    await idle;
    expect(only.failed).toEqual(["lifecycle 1", "lifecycle 2"]);
    only.done(1, 3); // late, without effect
    expect(only.events.isIdle).toBe(true);
    only.done(3);
    expect(only.nacks).toEqual(["invalid_field: Expected `seq` up to 2, got 3"]);
  });

  it("that are larger than a frame are refused; a broken connection gets none until it is back", async () => {
    const { desk, peers } = scene(["*"]);
    const [only] = peers as [Process];
    const large = Buffer.alloc(100 * 1024);
    await expect(desk.notify("lifecycle", "a.b", large)).rejects.toThrow(/a.b has 102400 bytes/);
    await desk.notify("lifecycle", "a.b", BODY);
    only.isOpen = false;
    const late = desk.notify("lifecycle", "c.d", BODY);
    await turn();
    expect(only.sent).toEqual(["a.b"]);
    only.isOpen = true;
    only.events.resume({ interest: { lifecycle: ["*"], domain: [] }, publishers: [] });
    await late;
    expect(only.sent).toEqual(["a.b", "c.d"]);
  });

  it("end with the desk", async () => {
    const { desk, peers } = scene([]);
    peers.length = 0;
    const waiting = [desk.notify("lifecycle", "a.b", BODY), desk.idle()];
    desk.close();
    await Promise.all(waiting);
  });
});
