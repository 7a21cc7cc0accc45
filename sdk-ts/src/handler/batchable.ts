/** Existing handler files import the batch helpers from this path. */
export {
  applyBatchable,
  type Batchable,
  BatchableMixin,
  BatchableStepHandler,
} from "../batchable.js";
