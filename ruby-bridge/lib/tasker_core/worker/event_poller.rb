# frozen_string_literal: true

require 'singleton'

module TaskerCore
  module Worker
    # Takes steps one at a time from a worker that was started with {FFI.bootstrap_worker} and publishes them on
    # {EventBridge}. Its thread blocks until a step arrives; it ends with {#stop!} or with the worker.
    class EventPoller
      include Singleton

      # How long the thread waits before it looks whether it should end.
      WAIT_SECONDS = 0.25

      def initialize
        @lock = Mutex.new
      end

      # @return [self]
      def start!
        @lock.synchronize do
          next if active?

          @stopping = false
          @thread = Thread.new { run }
          @thread.name = 'tasker-event-poller'
        end
        self
      end

      # Returns when the step in hand is done.
      # @return [void]
      def stop!
        @lock.synchronize do
          @stopping = true
          @thread&.join unless @thread == Thread.current
          @thread = nil
        end
      end

      def active? = @thread&.alive? || false

      private

      def run
        until @stopping
          steps = Internal::Session.process&.steps or break
          event = steps.poll(WAIT_SECONDS)
          EventBridge.instance.publish_step_execution(event) if event
        end
      end
    end
  end
end
