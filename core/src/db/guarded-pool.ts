import type { CircuitBreaker } from "../lib/circuit-breaker.js";
import type { Pool } from "./pool.js";

/**
 * The pool behind a circuit breaker: while that is open its calls throw DatabaseError CIRCUIT_BREAKER_OPEN at once instead of
 * waiting for a server that does not answer.
 */
export function guardedPool(pool: Pool, circuit: CircuitBreaker): Pool {
  return {
    ...pool,
    query: (text, values) => circuit.run(() => pool.query(text, values)),
    prepared: (name, text, values) => circuit.run(() => pool.prepared(name, text, values)),
    withConnection: (work) => circuit.run(() => pool.withConnection(work)),
  };
}
