# frozen_string_literal: true

module Tasker
  module StepHandler
    # Base of step handlers: a subclass overrides {#process}.
    class Base < TaskerCore::StepHandler::Base
      # @return [TaskerCore::Types::StepContext] all there is to know about the running step
      attr_reader :context

      # Does the step's work.
      # @param task [TaskerCore::Models::TaskWrapper] `task.context` is the task's input, String keys
      # @param sequence [TaskerCore::Models::DependencyResultsWrapper] for {#step_results}
      # @param step [TaskerCore::Models::WorkflowStepWrapper]
      # @return [Hash] the step's result
      # @raise [RetryableError] to be tried again; any other StandardError is permanent
      def process(task, sequence, step)
        raise NotImplementedError, "#{self.class} must implement process(task, sequence, step)"
      end

      # @return [Object, nil] what the handler of a previous step returned
      def step_results(sequence, step_name) = sequence.get_results(step_name)

      # @api private
      def call(context)
        @context = context
        result = process(context.task, context.dependency_results, context.workflow_step)
        result.nil? ? success(result: {}) : result_of(result)
      rescue TaskerCore::Errors::RetryableError
        raise
      rescue StandardError => e
        raise e.frozen? ? permanent(e) : e.extend(NotRetryable)
      end

      private

      # A hash with a `success` of its own is a result like any other here.
      def result_of(value)
        case value
        when TaskerCore::Types::StepHandlerCallResult::Success, TaskerCore::Types::StepHandlerCallResult::Error,
             TaskerCore::Types::StepHandlerCallResult::CheckpointYield then value
        else success(result: value)
        end
      end

      def permanent(error)
        PermanentError.new(error.message).tap { |copy| copy.set_backtrace(error.backtrace || []) }
      end
    end
  end
end
