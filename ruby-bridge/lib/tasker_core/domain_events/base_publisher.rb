# frozen_string_literal: true

module TaskerCore
  module DomainEvents
    # Decides what a domain event says. A template names it under `publisher`; its hooks run in the process that ran the
    # step, and the Tasker core queues the event and hands it to subscribers. A hook that raises costs this one event.
    #
    # `step_result` has the Symbol keys `success`, `result`, `metadata`; `event_declaration` answers `[:name]` and
    # `['name']`; `step_context` is what the handler got.
    class BasePublisher
      # An event as a publisher wants it. `additional` is its own part of `metadata`.
      Prepared = Struct.new(:event_name, :payload, :metadata, :additional)

      # @return [String] the name by which templates call it
      def name = raise(NotImplementedError, "#{self.class} must define `name`")

      def logger = Logger.instance

      # @return [Hash] the event's payload; default: the handler's result
      def transform_payload(step_result, _event_declaration = nil, _step_context = nil) = step_result[:result] || {}

      # Asked after the declaration's condition was met.
      def should_publish?(_step_result, _event_declaration = nil, _step_context = nil) = true

      # @return [Hash] goes into the event's metadata, beside what every event has
      def additional_metadata(_step_result, _event_declaration = nil, _step_context = nil) = {}

      # The return value does not matter.
      def before_publish(_event_name, _payload, _metadata) = nil

      # In a worker: after the step's result is stored.
      def after_publish(_event_name, _payload, _metadata) = nil

      # What `before_publish` or `after_publish` raised.
      def on_publish_error(_event_name, _error, _payload) = nil

      # Runs the hooks and nothing else: the core does the publishing.
      # @param ctx [Hash] `event_name, step_result, event_declaration, step_context`
      # @return [Boolean] whether the event would be published
      # @raise what the hooks but `before_publish` and `after_publish` raise
      def publish(ctx)
        prepared = prepare(ctx)
        !prepared.nil? && finish(prepared)
      end

      # Everything before the event is stored.
      # @return [Prepared, nil] nil when the publisher declines, or `before_publish` raises
      # @api private
      def prepare(ctx)
        event_name, *about = ctx.values_at(:event_name, :step_result, :event_declaration, :step_context)
        return nil unless should_publish?(*about)

        payload = transform_payload(*about)
        additional = additional_metadata(*about)
        metadata = base_metadata(about.last).merge(additional)
        begin
          before_publish(event_name, payload, metadata)
        rescue StandardError => e
          on_publish_error(event_name, e, payload)
          return nil
        end
        Prepared.new(event_name, payload, metadata, additional)
      end

      # After the event was stored.
      # @return [Boolean] false when `after_publish` raised; the event stays published
      # @api private
      def finish(prepared)
        after_publish(prepared.event_name, prepared.payload, prepared.metadata)
        true
      rescue StandardError => e
        on_publish_error(prepared.event_name, e, prepared.payload)
        false
      end

      private

      def base_metadata(step_context)
        ids = %i[task_uuid step_uuid step_name namespace_name].to_h do |key|
          [key == :namespace_name ? :namespace : key, (step_context.public_send(key) if step_context.respond_to?(key))]
        end
        {publisher: name, published_at: Time.now.utc.iso8601(3), **ids}
      end
    end
  end
end
