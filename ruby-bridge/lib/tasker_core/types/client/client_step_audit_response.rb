# frozen_string_literal: true

require_relative '../../internal/response_object'

module TaskerCore
  module Types
    # One submission of a step's result.
    class ClientStepAuditResponse
      include Internal::ResponseObject

      attributes :audit_uuid, :workflow_step_uuid, :transition_uuid, :task_uuid, :recorded_at, :success, :step_name, :to_state
      optional :worker_uuid, :correlation_id, :execution_time_ms, :result, :from_state
    end
  end
end
