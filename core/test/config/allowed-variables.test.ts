import { describe, expect, it } from "vitest";
import { ALLOWED_VARIABLES, variableProblem } from "../../src/config/index.js";

const cases: Record<string, { good: string[]; bad: string[] }> = {
  DATABASE_URL: {
    good: [
      "postgresql://localhost/tasker",
      "postgresql://u-1:p%2Fw@10.0.0.1:5432/my_db?sslmode=require",
      "postgresql:///db?host=/tmp",
    ],
    bad: [
      "",
      "postgres://localhost/x",
      "postgresql://localhost",
      "postgresql://u;drop@h/d",
      "postgresql://h/d\nx",
    ],
  },
  PGMQ_DATABASE_URL: { good: ["", "postgresql://localhost/q"], bad: ["mysql://h/d"] },
  TASKER_ENV: { good: ["test", "development", "production"], bad: ["staging", "", "Test"] },
  TASKER_CONFIG_PATH: { good: ["/etc/tasker.toml"], bad: ["/etc/tasker.yaml", ".toml"] },
  TASKER_TEMPLATE_PATH: { good: ["/a/b-c_d.e"], bad: ["/a b", "$(x)"] },
  TASKER_WEB_BIND_ADDRESS: {
    good: ["0.0.0.0:8080", "localhost:1", "[::1]:80"],
    bad: ["8080", "host", "h:123456"],
  },
  TASKER_ORCHESTRATION_GRPC_BIND_ADDRESS: { good: ["h:1"], bad: ["h"] },
  TASKER_WORKER_GRPC_BIND_ADDRESS: { good: ["h:1"], bad: ["h"] },
  TASKER_MESSAGING_BACKEND: { good: ["pgmq", "rabbitmq"], bad: ["kafka"] },
  RABBITMQ_URL: {
    good: ["amqp://localhost", "amqp://guest:guest@h:5672/%2F"],
    bad: ["http://h", "amqp://"],
  },
  REDIS_URL: { good: ["redis://h", "redis://:pw@h:6379/0"], bad: ["redis://h/x", "rediss://h"] },
  MEMCACHED_URL: { good: ["tcp://h:11211", "unix:///run/m.sock"], bad: ["udp://h", "unix://m"] },
  TASKER_INSTANCE_ID: { good: ["a", "A1-b"], bad: ["-a", "a_b", "a".repeat(65)] },
  TASKER_WORKER_ID: { good: ["worker-1"], bad: ["worker 1"] },
  TASKER_INSTANCE_PORT: { good: ["8080"], bad: ["port", "123456"] },
  TASKER_JWT_PUBLIC_KEY: {
    good: ["-----BEGIN PUBLIC KEY-----\nMIIB+/=\n-----END PUBLIC KEY-----"],
    bad: ["", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"],
  },
  TASKER_JWT_PUBLIC_KEY_PATH: { good: ["/keys/public.pem"], bad: ["/keys/public.key"] },
};

describe("variables that configuration may use", () => {
  it("are exactly the contract's", () => {
    expect(Object.keys(ALLOWED_VARIABLES).sort()).toEqual(Object.keys(cases).sort());
    expect(variableProblem("PATH", "/bin")).toContain("may not be used");
    expect(variableProblem("toString", "x")).toContain("may not be used");
  });

  it.each(Object.entries(cases))("%s", (name, { good, bad }) => {
    for (const value of good) expect([value, variableProblem(name, value)]).toEqual([value, null]);
    for (const value of bad)
      expect([value, variableProblem(name, value)]).not.toEqual([value, null]);
  });
});
