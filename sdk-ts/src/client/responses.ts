/** Answers of the REST API, as they come: snake_case, `null` where nothing is. */

type Json = Readonly<Record<string, unknown>>;

export interface StepReadiness {
  readonly workflow_step_uuid: string;
  readonly task_uuid: string;
  readonly named_step_uuid: string;
  readonly name: string;
  readonly current_state: string;
  readonly dependencies_satisfied: boolean;
  readonly retry_eligible: boolean;
  readonly ready_for_execution: boolean;
  readonly last_failure_at: string | null;
  readonly next_retry_at: string | null;
  readonly total_parents: number;
  readonly completed_parents: number;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly backoff_request_seconds: number | null;
  readonly last_attempted_at: string | null;
}

export interface TaskResponse {
  readonly task_uuid: string;
  readonly name: string;
  readonly namespace: string;
  readonly version: string;
  /** The task's state; in lists `completed` or `pending`. */
  readonly status: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly completed_at: string | null;
  readonly context: Json;
  readonly initiator: string;
  readonly source_system: string;
  readonly reason: string;
  readonly priority: number | null;
  readonly tags: readonly string[] | null;
  readonly correlation_id: string;
  readonly parent_correlation_id: string | null;
  readonly total_steps: number;
  readonly pending_steps: number;
  readonly in_progress_steps: number;
  readonly completed_steps: number;
  readonly failed_steps: number;
  readonly ready_steps: number;
  readonly execution_status: string;
  readonly recommended_action: string;
  readonly completion_percentage: number;
  readonly health_status: string;
  /** Empty in lists. */
  readonly steps: readonly StepReadiness[];
}

export interface PaginationInfo {
  readonly page: number;
  readonly per_page: number;
  readonly total_count: number;
  readonly total_pages: number;
  readonly has_next: boolean;
  readonly has_previous: boolean;
}

export interface TaskListResponse {
  readonly tasks: readonly TaskResponse[];
  readonly pagination: PaginationInfo;
}

export interface StepResponse {
  readonly step_uuid: string;
  readonly task_uuid: string;
  readonly name: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly completed_at: string | null;
  /** The stored execution result: what the handler returned is under `result`. */
  readonly results: Json | null;
  readonly current_state: string;
  readonly dependencies_satisfied: boolean;
  readonly retry_eligible: boolean;
  readonly ready_for_execution: boolean;
  readonly total_parents: number;
  readonly completed_parents: number;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly last_failure_at: string | null;
  readonly next_retry_at: string | null;
  readonly last_attempted_at: string | null;
}

export interface StepAuditResponse {
  readonly audit_uuid: string;
  readonly workflow_step_uuid: string;
  readonly transition_uuid: string;
  readonly task_uuid: string;
  readonly recorded_at: string;
  readonly worker_uuid?: string;
  readonly correlation_id?: string;
  readonly success: boolean;
  readonly execution_time_ms?: number;
  readonly result?: Json;
  readonly step_name: string;
  readonly from_state?: string;
  readonly to_state: string;
}

export interface HealthResponse {
  readonly status: string;
  readonly timestamp: string;
}
