import { ApiError } from "../api-error.js";

/** The worker's form of an error (contract/rest.md section 3); that of authentication is the common one. */
export class WorkerApiError extends ApiError {
  override toJSON(): object {
    const { code, message } = this;
    return { error: code, message, timestamp: new Date().toISOString(), request_id: null };
  }
}

export const templateNotFound = (named: string): WorkerApiError =>
  new WorkerApiError(404, "template_not_found", `Template not found: ${named}`);
