# frozen_string_literal: true

require_relative '../../internal/response_object'

module TaskerCore
  module Types
    # A task as the server tells it.
    class ClientTaskResponse
      include Internal::ResponseObject

      attributes :task_uuid, :name, :namespace, :version, :status, :created_at, :updated_at, :context, :initiator,
                 :source_system, :reason, :correlation_id, :total_steps, :pending_steps, :in_progress_steps,
                 :completed_steps, :failed_steps, :ready_steps, :execution_status, :recommended_action,
                 :completion_percentage, :health_status
      optional :completed_at, :priority, :tags, :parent_correlation_id, :steps
    end

    # The same, under the name that the core's types have.
    TaskResponse = ClientTaskResponse
  end
end
