import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitStateName,
} from "../../src/lib/circuit-breaker.js";

const lost = new Error("lost");
const wrong = new Error("wrong statement");
const seen: CircuitStateName[] = [];

function breaker(options: Partial<CircuitBreakerOptions> = {}): CircuitBreaker {
  return new CircuitBreaker({
    name: "test",
    failureThreshold: 3,
    successThreshold: 2,
    timeoutMs: 1_000,
    isFailure: (error) => error === lost,
    refusal: (retryInMs) => new Error(`refused for ${retryInMs}`),
    onChange: (state) => seen.push(state),
    ...options,
  });
}

const good = async (): Promise<string> => "good";
const bad = async (): Promise<never> => {
  throw lost;
};
const fail = async (circuit: CircuitBreaker, times: number): Promise<void> => {
  for (let n = 0; n < times; n += 1) await expect(circuit.run(bad)).rejects.toBe(lost);
};

beforeEach(() => {
  seen.length = 0;
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

describe("CircuitBreaker", () => {
  it("opens after failures in a row, not before, and not for errors that blame the call", async () => {
    const circuit = breaker();
    await fail(circuit, 2);
    expect(await circuit.run(good)).toBe("good");
    await fail(circuit, 2);
    await expect(
      circuit.run(async () => {
        throw wrong;
      }),
    ).rejects.toBe(wrong);
    expect(circuit.state).toBe("closed");
    await fail(circuit, 1);
    expect(circuit.state).toBe("open");
    expect(circuit.counts.opened).toBe(1);
  });

  it("refuses at once while it is open and calls nothing", async () => {
    const circuit = breaker();
    await fail(circuit, 3);
    const work = vi.fn(good);
    vi.advanceTimersByTime(400);
    await expect(circuit.run(work)).rejects.toThrow("refused for 600");
    expect(work).not.toHaveBeenCalled();
    expect(circuit.counts.refused).toBe(1);
  });

  it("lets one call through after its time, and closes after as many successes as it wants", async () => {
    const circuit = breaker();
    await fail(circuit, 3);
    vi.advanceTimersByTime(1_001);
    let answer: (value: string) => void = () => undefined;
    const probe = circuit.run(() => new Promise<string>((resolve) => (answer = resolve)));
    expect(circuit.state).toBe("half_open");
    await expect(circuit.run(good)).rejects.toThrow("refused");
    answer("back");
    expect(await probe).toBe("back");
    expect(circuit.state).toBe("half_open");
    await circuit.run(good);
    expect(circuit.state).toBe("closed");
    expect(seen).toEqual(["open", "half_open", "closed"]);
  });

  it("opens again at the first failure while it is half-open", async () => {
    const circuit = breaker({ successThreshold: 3 });
    await fail(circuit, 3);
    vi.advanceTimersByTime(1_001);
    await circuit.run(good);
    await fail(circuit, 1);
    expect(circuit.state).toBe("open");
    vi.advanceTimersByTime(900);
    await expect(circuit.run(good)).rejects.toThrow("refused");
    vi.advanceTimersByTime(101);
    await fail(circuit, 1);
    expect(circuit.counts.opened).toBe(3);
  });

  it("counts silence, and a late answer as a sign of life", async () => {
    const circuit = breaker({ silentMs: 100 });
    let answer: (value: string) => void = () => undefined;
    const slow = circuit.run(() => new Promise<string>((resolve) => (answer = resolve)));
    await vi.advanceTimersByTimeAsync(250);
    expect(circuit.state).toBe("closed");
    await vi.advanceTimersByTimeAsync(100);
    expect(circuit.state).toBe("open");
    await expect(circuit.run(good)).rejects.toThrow("refused");
    answer("late");
    expect(await slow).toBe("late");
    expect(await circuit.run(good)).toBe("good");
    expect(circuit.state).not.toBe("open");
  });

  it("gives a probe up that gets no answer", async () => {
    const circuit = breaker({ silentMs: 100 });
    await fail(circuit, 3);
    await vi.advanceTimersByTimeAsync(1_001);
    const probe = expect(circuit.run(() => new Promise(() => undefined))).rejects.toThrow(
      "refused",
    );
    await vi.advanceTimersByTimeAsync(101);
    await probe;
    expect(circuit.state).toBe("open");
  });

  it("lets who insists try while it is open, and its success ends the waiting", async () => {
    const circuit = breaker();
    await fail(circuit, 3);
    await expect(circuit.insist(bad)).rejects.toBe(lost);
    await expect(circuit.run(good)).rejects.toThrow("refused");
    expect(await circuit.insist(good)).toBe("good");
    expect(circuit.state).toBe("half_open");
    expect(await circuit.run(good)).toBe("good");
    expect(circuit.state).toBe("closed");
  });
});
