# frozen_string_literal: true

module TaskerCore
  module Internal
    # The connection to a host that this program has opened itself, if any: {Worker::Bootstrap} and {FFI} share it.
    module Session
      DEFAULT_SLOTS = 32
      DEFAULT_POOL = 'default'
      # From asking the host to end to its end.
      END_SECONDS = 10

      @lock = Mutex.new

      class << self
        # @return [Runtime::WorkerProcess, nil]
        attr_reader :process
        # @return [HostProcess, nil] when the host was started here
        attr_reader :host
        # @return [Thread, nil] serves the connection; its value is the exit code
        attr_reader :thread

        # Joins the host that `TASKER_BRIDGE` names, or starts one, and begins to take steps.
        # @param polled [Boolean] see {Runtime::WorkerProcess}
        # @yieldparam process [Runtime::WorkerProcess] before the first step is taken
        # @return [Runtime::WorkerProcess]
        # @raise [Errors::ConfigurationError, Errors::TimeoutError] saying why there is no host; nothing is left running
        def open(registry: Registry::HandlerRegistry.instance, slots: nil, pool: nil, polled: false, &prepare)
          @lock.synchronize do
            raise Errors::OrchestrationError, 'a worker runs in this process already' if running?

            begin_session(registry, slots, pool, polled, prepare)
          end
        end

        # A process that the host has started has its connection already.
        # @param process [Runtime::WorkerProcess]
        # @return [Runtime::WorkerProcess]
        def adopt(process) = @process = process

        # @return [Boolean]
        def running? = @process&.running? || false

        # Finishes what runs, then ends the connection and a host that was started here.
        # @param grace_ms [Integer] how long running steps may take
        # @return [void]
        def close(reason, grace_ms: Runtime::WorkerProcess::DRAIN_GRACE_MS)
          process, thread = @lock.synchronize { [@process, @thread] }
          return unless process

          process.stop(reason, grace_ms: grace_ms)
          thread.join unless thread == Thread.current
        end

        private

        def begin_session(registry, slots, pool, polled, prepare)
          slots ||= Integer(ENV.fetch('TASKER_WORKER_SLOTS', DEFAULT_SLOTS))
          pool ||= ENV.fetch('TASKER_WORKER_POOL', DEFAULT_POOL)
          manifest = Manifest.build(registry, pool)
          io, token = connect
          process = Runtime::WorkerProcess.new(io, pool: pool, slots: slots, handlers: manifest, registry: registry, token: token,
                                                    polled: polled, owns_process: false, observer: Worker::StepObserver.new)
          @process = process.start { prepare&.call(process) }
          @thread = Thread.new(@process, @host) { |process, host| serve(process, host) }
          @thread.name = 'tasker-session'
          @process
        rescue StandardError
          io&.close
          @host&.stop
          @process = @host = nil
          raise
        end

        def connect
          address = ENV.delete('TASKER_BRIDGE')
          return [Transport.open(address), Transport::Token.read(ENV.delete('TASKER_BRIDGE_TOKEN_FILE'))] if address

          @host = HostProcess.new
          @host.start
          [Transport.open(@host.address), @host.token]
        end

        def serve(process, host)
          process.serve
        ensure
          host&.stop
          @lock.synchronize { @process = @host = nil if @process.equal?(process) }
        end
      end
    end
  end
end
