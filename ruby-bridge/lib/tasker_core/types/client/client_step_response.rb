# frozen_string_literal: true

require_relative '../../internal/response_object'

module TaskerCore
  module Types
    # A step as the server tells it.
    class ClientStepResponse
      include Internal::ResponseObject

      attributes :step_uuid, :task_uuid, :name, :created_at, :updated_at, :current_state, :dependencies_satisfied,
                 :retry_eligible, :ready_for_execution, :total_parents, :completed_parents, :attempts, :max_attempts
      optional :completed_at, :results, :last_failure_at, :next_retry_at, :last_attempted_at
    end
  end
end
