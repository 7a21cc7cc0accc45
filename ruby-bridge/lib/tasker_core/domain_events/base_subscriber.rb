# frozen_string_literal: true

module TaskerCore
  module DomainEvents
    # Handles domain events that steps of this host published `fast` or `broadcast`. What `handle` raises goes to
    # `on_handle_error`, is logged and counted, and changes nothing. Classes in handler files are started by the worker.
    #
    # The event is a Hash that answers to Symbols and Strings: `event_id, event_name, event_version,
    # metadata{task_uuid, step_uuid, step_name, namespace, correlation_id, fired_at, fired_by}, business_payload,
    # execution_result{success, status, step_uuid, error}, context{task_uuid, task_name, namespace, step_name}`.
    class BaseSubscriber
      class << self
        # @param patterns [Array<String>] exact names, `prefix.*`, `*`
        def subscribes_to(*patterns)
          @patterns = patterns.flatten.map(&:to_s)
        end

        # @return [Array<String>]
        def patterns = @patterns || (superclass.respond_to?(:patterns) ? superclass.patterns : ['*'])
      end

      def logger = Logger.instance

      # @param event [IndifferentHash]
      def handle(_event) = raise(NotImplementedError, "#{self.class} must define `handle`")

      # @return [Boolean] false passes the event over
      def before_handle(_event) = true
      def after_handle(_event) = nil
      def on_handle_error(_event, _error) = nil

      def active? = !@detach.nil?

      # A second start is without effect.
      def start!
        @detach ||= Internal::EventFeed.instance.subscribe(self.class.patterns) { |event| deliver(event) }
        self
      end

      def stop!
        @detach&.call
        @detach = nil
      end

      private

      def deliver(event)
        return if before_handle(event) == false

        handle(event)
        after_handle(event)
      rescue StandardError => e
        on_handle_error(event, e)
        raise # the feed logs and counts it
      end
    end
  end
end
