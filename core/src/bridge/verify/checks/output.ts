import { type Check, ensure } from "../examination.js";

export const outputChecks: readonly Check[] = [
  {
    rule: "output.print",
    async run(exam) {
      const host = await exam.start();
      await host.run("reference.print");
      await host.run("reference.print");
      await host.until("what was printed among its output", () => exam.subject.output !== "");
      await host.alive("printing");
    },
  },
  {
    rule: "channel.stdio",
    lane: "stdio",
    async run(exam) {
      const host = await exam.start();
      await host.run("reference.print");
      await host.until("what was printed on stderr", () => exam.subject.output !== "");
      await host.alive("printing");
    },
  },
  {
    rule: "child.channel",
    needs: ["reference.spawn"],
    async run(exam) {
      const host = await exam.start();
      const value: unknown = JSON.parse((await host.run("reference.spawn")).toString());
      const pid = (value as { pid?: unknown } | null)?.pid;
      ensure(
        typeof pid === "number" && isAlive(pid),
        `It says that it started ${JSON.stringify(value)}`,
      );
      exam.subject.signal("SIGKILL");
      await exam.subject.exited;
      ensure(isAlive(pid), "The process it started was gone too early to tell");
      // The host learns of a crash by the end of the channel: nobody else may hold it open.
      await host.until("the channel to end with its process", () => host.traffic.hasEnded);
    },
  },
];

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
