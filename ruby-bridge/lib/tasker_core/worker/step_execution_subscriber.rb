# frozen_string_literal: true

module TaskerCore
  module Worker
    # Runs the handlers of polled steps: listens to {EventBridge}, calls the handler on the publishing thread, submits
    # the completion.
    class StepExecutionSubscriber
      PROCESSED_BY = 'ruby_worker'

      # @param event_bridge [EventBridge]
      # @param handler_registry [Registry::HandlerRegistry]
      # @param worker_id [String] told in the completions' metadata
      def initialize(event_bridge = EventBridge.instance, handler_registry = Registry::HandlerRegistry.instance, worker_id: PROCESSED_BY)
        @bridge = event_bridge
        @registry = handler_registry
        @worker_id = worker_id
      end

      # @return [self]
      def start!
        @listener ||= @bridge.subscribe_to_step_execution { |event| call(event) }
        self
      end

      # @return [void]
      def stop!
        @bridge.unsubscribe(@listener) if @listener
        @listener = nil
      end

      def active? = !@listener.nil?

      # Runs one step.
      # @param event [Event, Hash] with the step event
      # @return [void]
      def call(event)
        payload = event.respond_to?(:payload) ? event.payload : IndifferentHash.wrap(event)
        started = Time.now.utc
        result, handler = run(payload['task_sequence_step'])
        if result.checkpoint?
          @bridge.publish_step_checkpoint_yield(result.to_checkpoint_data(event_id: payload['event_id'], step_uuid: payload['step_uuid']))
        else
          @bridge.publish_step_completion(completion(payload, result, handler, started))
        end
      rescue StandardError => e
        @bridge.publish_step_completion(crash(payload, e, started)) if payload
      end

      private

      def run(step)
        context = Types::StepContext.new(step)
        definition = context.step_definition.handler
        handler = @registry.resolve_handler(definition)
        raise Errors::ConfigurationError, "No handler found for #{definition.callable}" unless handler

        [Types::StepHandlerCallResult.from_handler_output(handler.call(context)), handler]
      end

      def completion(payload, result, handler, started)
        now = Time.now.utc
        about = {handler_class: (handler.respond_to?(:handler_class) ? handler.handler_class : handler.class).name}
        about.merge!(result.success? ? {processed_at: now.iso8601(6), processed_by: PROCESSED_BY} : failed(result, now))
        ids(payload).merge(
          success: result.success?, result: (result.result if result.success?),
          error_message: (result.message unless result.success?),
          metadata: metadata(started, now, result.success? || result.retryable, about.merge(result.metadata), result.metadata)
        )
      end

      def failed(result, now)
        {failed_at: now.iso8601(6), failed_by: PROCESSED_BY, error_type: result.error_type, error_code: result.error_code,
         retryable: result.retryable}
      end

      def crash(payload, error, started)
        now = Time.now.utc
        retryable = Errors::ErrorClassifier.retryable?(error)
        about = {failed_at: now.iso8601(6), failed_by: PROCESSED_BY, error_class: error.class.name, retryable: retryable,
                 error_code: (error.error_code if error.respond_to?(:error_code)),
                 retry_after: (error.retry_after if error.respond_to?(:retry_after))}.compact
        ids(payload).merge(success: false, result: nil, error_message: error.message,
                           metadata: metadata(started || now, now, retryable, about, {}))
      end

      def ids(payload)
        %w[event_id task_uuid step_uuid trace_id span_id].to_h { |key| [key.to_sym, payload[key]] }.compact
      end

      def metadata(started, now, retryable, custom, own)
        {execution_time_ms: own[:duration_ms] || own['duration_ms'] || 0, retryable: retryable, completed_at: now.iso8601(6),
         started_at: started.iso8601(6), worker_id: @worker_id, custom: custom}
      end
    end
  end
end
