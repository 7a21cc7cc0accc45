import { z } from "zod";
import { common } from "./common.js";
import { engineTables } from "./engine.js";
import { orchestration } from "./orchestration.js";
import { worker } from "./worker.js";

/** The whole configuration. Parsing `{}` gives the built-in defaults. */
export const configSchema = z.strictObject({ common, ...engineTables, orchestration, worker });

/** Keys are the contract's, hence snake_case; units are in the names. */
export type Config = z.output<typeof configSchema>;
