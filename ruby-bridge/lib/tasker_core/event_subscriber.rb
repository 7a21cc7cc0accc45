# frozen_string_literal: true

module TaskerCore
  module EventSubscriber
    # Base of classes that listen to tasks and steps. An event `step.completed` calls `handle_step_completed(event)`;
    # one without such a method calls `handle(event)`. The event is a Hash with Symbol keys: `type, task_id, step_name,
    # namespace, task_name, version, context, result` or `error`, `duration` (milliseconds), `timestamp` (RFC 3339),
    # `correlation_id`; Strings are the keys inside. What a method raises is logged and counted, and changes nothing.
    # Classes in handler files are subscribed by the worker.
    class Base
      class << self
        # @param patterns [Array<String, Symbol>] exact names, `prefix.*`, `*`
        def subscribe_to(*patterns)
          @subscriptions = subscriptions | patterns.flatten.map(&:to_s)
        end

        # @return [Array<String>]
        def subscriptions = @subscriptions || (superclass.respond_to?(:subscriptions) ? superclass.subscriptions : [])
      end

      # Makes one object and subscribes it; a second time is without effect. For programs: classes in handler files need
      # no call.
      def self.subscribe!
        @subscribed ||= begin
          subscriber = new
          Internal::EventFeed.instance.subscribe_lifecycle(subscriptions) { |event| subscriber.deliver(event) }
          true
        end
      end

      # Events that have no method of their own.
      def handle(_event) = nil

      # @param event [Hash]
      # @api private
      def deliver(event)
        method = "handle_#{event[:type].to_s.gsub(/[^0-9a-zA-Z]/, '_')}"
        respond_to?(method) ? public_send(method, event) : handle(event)
      end
    end
  end
end
