# frozen_string_literal: true

require 'singleton'

module TaskerCore
  module Worker
    # What happens to steps in this process, for whoever wants to know, and the way by which a program that polls for
    # steps submits their completions. Listeners run on the thread that publishes; one that raises is logged.
    class EventBridge
      include Singleton

      EVENTS = %w[step.execution.received step.completion.sent step.checkpoint_yield.sent bridge.error].freeze
      COMPLETION_KEYS = %w[event_id task_uuid step_uuid success].freeze
      CHECKPOINT_KEYS = %w[event_id step_uuid cursor items_processed].freeze
      private_constant :COMPLETION_KEYS, :CHECKPOINT_KEYS

      def initialize
        @lock = Mutex.new
        @listeners = {}.freeze
        @active = true
      end

      # @param event [String, Symbol] one of {EVENTS}
      # @yieldparam event [Event]
      # @return [Proc] for {#unsubscribe}
      # @raise [ArgumentError] for another event, or without a block
      def subscribe(event, &listener)
        raise ArgumentError, "there is no event #{event}; there are #{EVENTS.join(', ')}" unless EVENTS.include?(event.to_s)
        raise ArgumentError, 'subscribe needs a block' unless listener

        @lock.synchronize { @listeners = @listeners.merge(event.to_s => [*@listeners[event.to_s], listener]).freeze }
        listener
      end

      # @return [void]
      def unsubscribe(listener)
        @lock.synchronize { @listeners = @listeners.transform_values { |list| list.reject { |one| one.equal?(listener) } }.freeze }
      end

      # @yieldparam event [Event] its payload is the step event; `task_sequence_step` is a wrapper
      # @return [Proc]
      def subscribe_to_step_execution(&listener) = subscribe('step.execution.received', &listener)

      # @return [Boolean]
      def subscribed?(event) = @active && !@listeners[event.to_s].to_a.empty?

      # @param event [Hash] the contract's step event
      # @return [void]
      def publish_step_execution(event)
        payload = IndifferentHash.wrap(event)
        step = payload['task_sequence_step']
        payload = payload.merge('task_sequence_step' => Models::TaskSequenceStepWrapper.new(step)) if step.is_a?(Hash)
        publish('step.execution.received', payload)
      end

      # Submits what became of a polled step.
      # @param completion [Hash] `event_id, task_uuid, step_uuid, success, result, metadata, error_message`
      # @return [Boolean] false when the event is unknown, or answered already
      # @raise [ArgumentError] when a required key is missing
      def publish_step_completion(completion)
        fields = complete(completion, COMPLETION_KEYS, 'completion')
        return false unless @active

        submitted = submit(fields) { FFI.complete_step_event(fields['event_id'], fields) }
        publish('step.completion.sent', fields)
        submitted
      end

      # Submits the progress of a polled step, which ends this delivery of it.
      # @param checkpoint [Hash] `event_id, step_uuid, cursor, items_processed, accumulated_results`
      # @return [Boolean] as {#publish_step_completion}
      # @raise [ArgumentError] when a required key is missing, or items_processed is no Integer >= 0
      def publish_step_checkpoint_yield(checkpoint)
        fields = complete(checkpoint, CHECKPOINT_KEYS, 'checkpoint')
        items = fields['items_processed']
        raise ArgumentError, "items_processed must be an Integer >= 0, got #{items.inspect}" unless items.is_a?(Integer) && items >= 0
        return false unless @active

        submitted = submit(fields) { FFI.checkpoint_yield_step_event(fields['event_id'], fields) }
        publish('step.checkpoint_yield.sent', fields)
        submitted
      end

      def active? = @active

      # Publishes and submits nothing more.
      # @return [void]
      def stop! = @active = false

      # @api private
      def start! = @active = true

      # @api private
      def publish(name, payload)
        return unless @active

        event = Event.new(name, payload)
        @listeners[name].to_a.each do |listener|
          listener.call(event)
        rescue StandardError => e
          Logger.instance.error("a listener of #{name} failed: #{e.class}: #{e.message}")
        end
      end

      private

      def complete(hash, keys, what)
        fields = IndifferentHash.wrap(hash.to_h)
        missing = keys.reject { |key| fields.key?(key) && !fields[key].nil? }
        raise ArgumentError, "the #{what} has no #{missing.join(', ')}" unless missing.empty?

        fields
      end

      # A completion that cannot be sent fails its step instead of leaving it to time out.
      def submit(fields)
        yield
      rescue StandardError => e
        publish('bridge.error', IndifferentHash.wrap({'event_id' => fields['event_id'], 'error' => e.message, 'error_class' => e.class.name}))
        FFI.complete_step_event(fields['event_id'], {
          'event_id' => fields['event_id'], 'task_uuid' => fields['task_uuid'], 'step_uuid' => fields['step_uuid'],
          'success' => false, 'status' => 'error', 'error_message' => e.message,
          'metadata' => {'retryable' => false, 'custom' => {'error_type' => 'FFI_SERIALIZATION_ERROR', 'error_code' => 'FFI_SERIALIZATION_ERROR'}}
        })
      end
    end
  end
end
