# frozen_string_literal: true

module TaskerCore
  module Worker
    # Tells {EventBridge} about the steps that the worker's own threads run. Costs nothing while nobody listens.
    class StepObserver
      def initialize(bridge = EventBridge.instance)
        @bridge = bridge
      end

      # @param delivery [Internal::Runtime::Delivery]
      # @param step [Models::TaskSequenceStepWrapper]
      def received(delivery, step)
        return unless @bridge.subscribed?('step.execution.received')

        header = delivery.header
        @bridge.publish('step.execution.received', IndifferentHash.wrap({
          'event_id' => delivery.id, 'task_uuid' => header['task_uuid'], 'step_uuid' => header['step_uuid'],
          'correlation_id' => header['correlation_id'], 'task_sequence_step' => step
        }))
      end

      # @param result [Types::StepHandlerCallResult::Success, Types::StepHandlerCallResult::Error,
      #   Types::StepHandlerCallResult::CheckpointYield]
      def answered(delivery, result)
        name = result.checkpoint? ? 'step.checkpoint_yield.sent' : 'step.completion.sent'
        return unless @bridge.subscribed?(name)

        header = delivery.header
        ids = {'event_id' => delivery.id, 'task_uuid' => header['task_uuid'], 'step_uuid' => header['step_uuid']}
        @bridge.publish(name, IndifferentHash.wrap(ids.merge(details(result))))
      end

      private

      def details(result)
        return result.to_h if result.checkpoint?
        return {'success' => true, 'result' => result.result, 'metadata' => {'retryable' => true, 'custom' => result.metadata}} if result.success?

        {'success' => false, 'result' => nil, 'error_message' => result.message,
         'metadata' => {'retryable' => result.retryable, 'custom' => {'error_type' => result.error_type, 'error_code' => result.error_code}}}
      end
    end
  end
end
