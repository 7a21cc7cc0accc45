export { type Explanation, explainTask } from "./explain-task.js";
export { REASON_CODES, type Reason, type ReasonCode } from "./reason.js";
export { type ExplainSettings, readTaskFacts, type TaskFacts } from "./task-facts.js";
