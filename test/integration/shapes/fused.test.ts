import { startFused } from "./hosts.js";
import { describeShapes } from "./suite.js";
import { describeActions } from "./suites/actions.js";
import { describeBackoff } from "./suites/backoff.js";
import { describeKills } from "./suites/kills.js";

/** Every shape in every language and form, with orchestrator and worker in one process. */
describeShapes(startFused, (world) => {
  describeActions(world);
  describeBackoff(world);
  describeKills(world, "handler processes");
});
