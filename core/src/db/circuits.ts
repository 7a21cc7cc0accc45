import { DatabaseError } from "../errors/index.js";
import { CircuitBreaker } from "../lib/circuit-breaker.js";
import type { Logger } from "../observability/index.js";
import { isConnectionLoss } from "./connection-loss.js";

export interface CircuitSettings {
  readonly failureThreshold: number;
  readonly successThreshold: number;
  readonly timeoutMs: number;
  readonly silentMs: number;
}

/** A circuit breaker in front of Postgres. Connections that fail and silence open it; statements that fail do not. */
export function databaseCircuit(
  name: string,
  settings: CircuitSettings,
  logger: Logger,
): CircuitBreaker {
  return new CircuitBreaker({
    ...settings,
    name,
    isFailure: isConnectionLoss,
    refusal: (retryInMs) =>
      new DatabaseError(
        "CIRCUIT_BREAKER_OPEN",
        `The database does not answer; the circuit breaker \`${name}\` refuses calls until it does`,
        { context: { circuit: name, retryInMs } },
      ),
    onChange: (state) => {
      const about = { circuit: name, state };
      if (state === "open") {
        logger.error(
          about,
          `circuit breaker ${name} opened: the database does not answer. Results wait, and calls are refused until it does`,
        );
      } else logger.info(about, `circuit breaker ${name} is ${state}`);
    },
  });
}
