import { describe, expect, it } from "vitest";
import {
  createLogger,
  isLogLevel,
  type LoggerOptions,
  silentLogger,
} from "../../src/observability/index.js";

function recording(options: LoggerOptions = {}) {
  const lines: string[] = [];
  const logger = createLogger({
    ...options,
    destination: { write: (line) => void lines.push(line) },
  });
  return {
    logger,
    lines,
    records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe("createLogger", () => {
  it("writes one JSON object per line, with the child's fields", () => {
    const { logger, records } = recording({ level: "debug" });
    logger
      .child({ correlation_id: "c-1" })
      .child({ step_name: "pay" })
      .info({ attempt: 2 }, "step started");
    logger.debug("plain");
    const [first, second] = records();
    expect(first).toMatchObject({
      level: "info",
      correlation_id: "c-1",
      step_name: "pay",
      attempt: 2,
      msg: "step started",
    });
    expect(Number.isNaN(Date.parse(String(first?.["time"])))).toBe(false);
    expect(second).toMatchObject({ level: "debug", msg: "plain" });
  });

  it("leaves out what is below its level", () => {
    const { logger, lines } = recording({ level: "warn" });
    logger.info("not written");
    logger.error("written");
    expect(lines).toHaveLength(1);
  });

  it.each(["password", "token", "api_key", "authorization", "database_url", "x-api-key"])(
    "redacts %s, also one level down",
    (key) => {
      const { logger, lines } = recording();
      logger.info({ [key]: "s3cret", headers: { [key]: "s3cret" } }, "request");
      expect(lines[0]).not.toContain("s3cret");
      expect(lines[0]).toContain("[redacted]");
    },
  );

  it("keeps an error's message, cause and stack", () => {
    const { logger, records } = recording();
    logger.error({ err: new Error("outer", { cause: new Error("inner") }) }, "failed");
    const err = records()[0]?.["err"] as Record<string, string>;
    expect(err["message"]).toContain("outer");
    expect(err["stack"]).toContain("inner");
  });

  it("prints readable lines for a terminal", () => {
    const { logger, lines } = recording({ pretty: true });
    logger.warn({ step: "pay it", n: 1, err: new Error("boom") }, "careful");
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}careful step="pay it" n=1\n {4}Error: boom\n/,
    );
  });

  it("knows its levels", () => {
    expect(isLogLevel("debug")).toBe(true);
    expect(isLogLevel("verbose")).toBe(false);
    expect(silentLogger().level).toBe("silent");
  });
});
