# frozen_string_literal: true

module TaskerCore
  module Types
    # Everything a handler may ask about the step it runs.
    class StepContext
      # @return [String, nil] name of the handler
      attr_reader :handler_name

      # @param step_data [Hash, Models::TaskSequenceStepWrapper]
      # @param handler_name [String, nil] default: the callable of the step's definition
      # @param cancellation [Internal::Runtime::Cancellation, nil]
      # @param on_heartbeat [#call, nil] takes the progress
      def initialize(step_data, handler_name: nil, cancellation: nil, on_heartbeat: nil)
        @step = step_data.is_a?(Models::TaskSequenceStepWrapper) ? step_data : Models::TaskSequenceStepWrapper.new(step_data)
        @handler_name = handler_name || step_definition.handler.callable
        @cancellation = cancellation
        @on_heartbeat = on_heartbeat
      end

      # @return [Models::TaskWrapper]
      def task = @step.task
      # @return [Models::WorkflowStepWrapper]
      def workflow_step = @step.workflow_step
      # @return [Models::DependencyResultsWrapper]
      def dependency_results = @step.dependency_results
      # @return [Models::StepDefinitionWrapper]
      def step_definition = @step.step_definition
      # @return [Models::TaskSequenceStepWrapper]
      def task_sequence_step = @step

      def task_uuid = task.task_uuid
      def step_uuid = workflow_step.workflow_step_uuid
      def step_name = workflow_step.name
      def namespace_name = task.namespace_name

      # @return [IndifferentHash] the task's input
      def context = task.context

      # @return [Object, nil] one value of the task's input
      def get_task_field(name) = task.context[name.to_s]
      alias get_input get_task_field

      # @return [Object] one value of the task's input, or the default when it is nil
      def get_input_or(name, default = nil)
        value = get_input(name)
        value.nil? ? default : value
      end

      # @return [IndifferentHash, nil] the step's own inputs (batch workers: their cursor)
      def step_inputs = workflow_step.inputs
      alias input_data step_inputs

      # @return [IndifferentHash] the handler's `initialization` of the template
      def step_config = step_definition.handler.initialization
      # @return [Object, nil]
      def get_config(key) = step_config[key.to_s]

      # @return [Object, nil] what the handler of an ancestor step returned
      def get_dependency_result(step_name) = dependency_results.get_results(step_name)

      # @param path [Array<String, Symbol>] keys to go down
      # @return [Object, nil]
      def get_dependency_field(step_name, *path)
        path.inject(get_dependency_result(step_name)) do |value, key|
          case value
          when Hash then value[key.is_a?(Symbol) ? key.to_s : key]
          when Array then key.is_a?(Integer) ? value[key] : nil
          end
        end
      end

      # @return [Integer] attempts made before this one
      def retry_count = workflow_step.attempts || 0
      # @return [Integer]
      def max_retries = workflow_step.max_attempts || 3
      def is_retry? = retry_count.positive?
      def is_last_retry? = retry_count >= max_retries - 1
      def retryable? = workflow_step.retryable != false

      # @return [IndifferentHash, nil]
      def checkpoint = workflow_step.checkpoint
      def checkpoint_cursor = checkpoint && checkpoint['cursor']
      # @return [Integer]
      def checkpoint_items_processed = (checkpoint && checkpoint['items_processed']) || 0
      def accumulated_results = checkpoint && checkpoint['accumulated_results']
      def has_checkpoint? = !checkpoint_cursor.nil?

      # @return [Boolean] the host has asked this step to stop; the handler should return soon
      def cancelled? = !@cancellation.nil? && @cancellation.cancelled?
      # @return [String, nil] `timeout`, `task_cancelled`, `lease_lost` or `shutdown`
      def cancel_reason = @cancellation&.reason

      # Says that the step is alive, and perhaps how far it is. Cheap enough for every item; the host hears of it at most
      # five times a second. Steps whose template sets a heartbeat send one by themselves.
      # @param progress [Numeric, nil] any measure that grows, such as the share that is done
      # @return [void]
      def heartbeat(progress = nil)
        unless progress.nil? || (progress.is_a?(Numeric) && progress.real? && progress.finite? && !progress.negative?)
          raise ArgumentError, "progress must be a number >= 0, got #{progress.inspect}"
        end

        @on_heartbeat&.call(progress)
        nil
      end

      # Sleeps like `Kernel#sleep`, but ends early when the step is cancelled.
      # @param seconds [Numeric]
      # @return [Boolean] true when the step is cancelled
      def wait_cancelled(seconds)
        return @cancellation.wait(seconds) if @cancellation

        sleep(seconds)
        false
      end
    end
  end
end
