import { startFused } from "./hosts.js";
import { describeShapes } from "./suite.js";

describeShapes(startFused, [], () => {});
