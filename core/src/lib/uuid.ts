import { v7 } from "uuid";

/** A UUIDv7: sortable by the time it was made, unguessable in its last 62 bits. */
export function newUuid(): string {
  return v7();
}
