# frozen_string_literal: true

require 'singleton'

module TaskerCore
  module Worker
    # Makes a program a worker: joins the host that `TASKER_BRIDGE` names, or starts a `tasker worker`, and runs the
    # handlers that the registry finds.
    #
    #   bootstrap = TaskerCore::Worker::Bootstrap.start!
    #   bootstrap.wait
    class Bootstrap
      include Singleton

      SIGNALS = %w[INT TERM].freeze

      # @return [Bootstrap]
      # @see #start!
      def self.start!(**options) = instance.start!(**options)

      def initialize
        @hooks = []
        @lock = Mutex.new
        @previous_traps = {}
      end

      # Does nothing when it runs already.
      # @param slots [Integer, nil] steps at a time; default `TASKER_WORKER_SLOTS` or 32
      # @param pool [String, nil] default `TASKER_WORKER_POOL` or `default`
      # @return [self]
      # @raise [Errors::ConfigurationError, Errors::TimeoutError] saying why there is no host
      def start!(slots: nil, pool: nil)
        @lock.synchronize do
          next if running?

          EventBridge.instance.start!
          start_parts # the handshake says what they listen to
          @process = Internal::Session.open(slots: slots, pool: pool) { |process| trap_signals(process) }
          @thread = Internal::Session.thread
          @ended = Thread.new { finish(@thread) }
        end
        self
      end

      def running? = !@process.nil? && @process.running?

      # @return [Hash] what it is doing
      def status
        process = @process
        handlers = Registry::HandlerRegistry.instance.registered_handlers
        {running: running?, environment: ENV['TASKER_ENV'] || 'development', worker_core_status: running? ? 'running' : 'stopped',
         connection_id: process&.connection_id, host_pid: Internal::Session.host&.pid, handlers: handlers,
         steps_in_progress: process&.ledger ? process.ledger.running_count : 0,
         steps_processed: process ? process.counts.answered_count : 0, started_at: process&.counts&.since&.iso8601}
      end

      # @return [Hash] `healthy`, `status` and what it looked at
      def health_check
        {healthy: running?, status: running? ? 'healthy' : 'stopped', bridge_active: EventBridge.instance.active?,
         host_alive: Internal::Session.host.nil? ? running? : Internal::Session.host.alive?,
         handlers_registered: Registry::HandlerRegistry.instance.registered_handlers.size}
      end

      # Finishes what runs, ends the connection and a host that was started here, runs the hooks. Safe to call twice.
      # @param grace_ms [Integer] how long running steps may take
      # @return [void]
      def shutdown!(grace_ms: Internal::Runtime::WorkerProcess::DRAIN_GRACE_MS)
        @process&.stop('shutdown', grace_ms: grace_ms)
        @ended&.join unless Thread.current == @ended
      end

      # @yield when the worker has ended; hooks run in the order in which they were given
      # @return [self]
      def on_shutdown(&hook)
        raise ArgumentError, 'on_shutdown needs a block' unless hook

        @lock.synchronize { @hooks << hook }
        self
      end

      # @yieldparam process [Internal::Runtime::WorkerProcess]
      # @return [Object] what the block returns
      # @raise [Errors::OrchestrationError] when no worker runs
      def with_rust_handle
        raise Errors::OrchestrationError, 'no worker runs in this process: call TaskerCore::Worker::Bootstrap.start! first' unless running?

        yield @process
      end

      # Blocks until the worker has ended.
      # @param seconds [Numeric, nil] at most so long
      # @return [Boolean] whether it has ended
      def wait(seconds = nil)
        thread = @ended
        thread.nil? || !thread.join(seconds).nil?
      end

      private

      # After the handler files, which may subscribe something.
      def start_parts
        Registry::HandlerRegistry.instance.bootstrap_handlers!
        InProcessDomainEventPoller.instance.start!
        DomainEvents::SubscriberRegistry.instance.start_all!
      end

      def stop_parts
        DomainEvents::SubscriberRegistry.instance.stop_all!
        InProcessDomainEventPoller.instance.stop!
      end

      # A signal may come while any lock is held: only the queue behind `stop` is used.
      def trap_signals(process)
        owner = Process.pid
        SIGNALS.each do |signal|
          @previous_traps[signal] = Signal.trap(signal) do
            if Process.pid == owner
              process.stop("SIG#{signal}")
            else
              Signal.trap(signal, 'DEFAULT')
              Process.kill(signal, Process.pid)
            end
          end
        end
      end

      def restore_traps
        @previous_traps.each { |signal, handler| Signal.trap(signal, handler || 'DEFAULT') }
        @previous_traps = {}
      end

      def finish(thread)
        thread.join
        stop_parts
        restore_traps
        hooks = @lock.synchronize { @hooks.slice!(0..) }
        hooks.each do |hook|
          hook.call
        rescue StandardError => e
          Logger.instance.error("a shutdown hook failed: #{e.class}: #{e.message}")
        end
      end
    end
  end
end
