import { startSplit } from "./hosts.js";
import { describeShapes } from "./suite.js";
import { describeActions } from "./suites/actions.js";
import { describeBackoff } from "./suites/backoff.js";
import { describeKills } from "./suites/kills.js";

/** Every shape in every language and form, with server and worker as processes of their own. */
describeShapes(startSplit, (world) => {
  describeActions(world);
  describeBackoff(world);
  describeKills(world, "handler processes");
  describeKills(world, "the worker");
});
