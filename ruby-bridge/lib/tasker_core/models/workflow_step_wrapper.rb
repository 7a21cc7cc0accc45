# frozen_string_literal: true

module TaskerCore
  module Models
    # The step's row as it was when the step was claimed.
    class WorkflowStepWrapper
      # @param data [Hash] with String keys
      def initialize(data)
        @data = data || {}
      end

      %w[workflow_step_uuid task_uuid named_step_uuid name template_step_name retryable max_attempts in_process
         processed processed_at attempts last_attempted_at backoff_request_seconds created_at updated_at].each do |key|
        define_method(key) { @data[key] }
      end

      # @return [IndifferentHash, nil]
      def inputs = @inputs ||= IndifferentHash.wrap(@data['inputs'])
      # @return [IndifferentHash, nil]
      def results = @results ||= IndifferentHash.wrap(@data['results'])
      # @return [IndifferentHash, nil] what the last checkpoint yield stored
      def checkpoint = @checkpoint ||= IndifferentHash.wrap(@data['checkpoint'])
    end
  end
end
