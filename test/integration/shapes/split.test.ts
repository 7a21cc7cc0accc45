import { startSplit } from "./hosts.js";
import { describeShapes } from "./suite.js";

describeShapes(startSplit, [], () => {});
