# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # A handler process from `hello` to its exit: builds the parts, then waits on the main thread for the host or
      # a signal to end it.
      class WorkerProcess
        # From the end of the channel to the end of the process; handlers are cancelled at once.
        CLOSED_GRACE_SECONDS = 4
        EXIT_LIMIT_SECONDS = 5
        DRAIN_GRACE_MS = 25_000
        ACK_WAIT_SECONDS = 5
        PONG_WAIT_SECONDS = 1

        # @param io [IO] the channel
        # @param handlers [Array<Hash>] body of `hello`
        def initialize(io, pool:, slots:, handlers:, registry: Registry::HandlerRegistry.instance)
          @io = io
          @pool_name = pool
          @slots = slots
          @handlers = handlers
          @registry = registry
          @control = Thread::Queue.new
        end

        # Serves until the host or a signal ends it.
        # @return [Integer] exit code
        def run
          reader = ChannelReader.new(@io, max_frame: Protocol::Handshake::MAX_FRAME)
          agreement = Greeter.new(@io, reader, pool: @pool_name, slots: @slots, handlers: @handlers).greet
          build(reader, agreement)
          trap_signals
          @inbox.start(agreement.early_messages)
          serve
        ensure
          LogOutput.sink = nil
        end

        private

        def build(reader, agreement)
          @ledger = Ledger.new(@slots)
          @outbox = Outbox.new(@io, on_lost: ->(_error) { @control << [:channel_closed] })
          @clerk = Clerk.new(@outbox, @ledger)
          @logs = LogRing.new(@outbox, on_first: @clerk.method(:logs_waiting))
          runner = StepRunner.new(registry: @registry, ledger: @ledger, outbox: @outbox, logs: @logs,
                                  max_frame: agreement.max_frame)
          queue = WorkQueue.new
          @pool = WorkerPool.new(@slots, runner, queue)
          @inbox = Inbox.new(reader: reader, ledger: @ledger, queue: queue, clerk: @clerk, control: @control)
          LogOutput.sink = @logs.method(:push)
          ForkGuard.install { leave_channel }
          @clerk.start(@logs)
          @pool.start
        end

        # A queue is the one thing a signal handler may use; the main thread does the rest.
        def trap_signals
          owner = Process.pid
          %w[TERM INT].each do |signal|
            Signal.trap(signal) do
              if Process.pid == owner
                @control << [:signal, "SIG#{signal}"]
              else
                # A child forked a moment ago has not taken this handler off yet: it ends as any process would.
                Signal.trap(signal, 'DEFAULT')
                Process.kill(signal, Process.pid)
              end
            end
          end
        end

        # Runs in a process that a handler forked. A child that returns from the handler finds the queue closed, and
        # ends.
        def leave_channel
          @outbox.close
          @pool.stop
          LogOutput.sink = nil
          @io.close
          %w[TERM INT].each { |signal| Signal.trap(signal, 'DEFAULT') }
        end

        def serve
          loop do
            event, *details = @control.pop
            case event
            when :drain then return drain(details[0], details[1])
            when :signal then return drain_by_signal(details[0])
            when :bye, :channel_closed then return leave(0)
            when :broken then return give_up(*details)
            end
          end
        end

        # The pong comes after every step that the host sent before it had read `drain`.
        def drain_by_signal(signal)
          send_message('type' => 'drain', 'grace_ms' => DRAIN_GRACE_MS, 'reason' => signal)
          pause
          send_message('type' => 'ping', 'n' => 0)
          @ledger.wait_until_pong(Clock.now + PONG_WAIT_SECONDS)
          drain(DRAIN_GRACE_MS, signal)
        end

        def drain(grace_ms, reason)
          deadline = Clock.now + grace_ms / 1000.0
          pause
          finished = @ledger.wait_until_idle(deadline)
          @logs.flush
          @ledger.wait_until_acknowledged(Clock.now + ACK_WAIT_SECONDS) if finished
          send_message('type' => 'bye', 'reason' => finished ? "drained: #{reason}" : "grace of #{grace_ms} ms is over: #{reason}")
          leave(0)
        end

        def give_up(code, detail)
          LogOutput.write('error', 'bridge', detail)
          @logs.flush
          send_message('type' => 'bye', 'reason' => detail, 'code' => code)
          leave(1)
        end

        # Stops the parts; running handlers are asked to stop and get a little time. The thread made here ends the
        # process when that and the application's at_exit hooks together take too long; nothing else ends it.
        def leave(code)
          limit = Clock.now + CLOSED_GRACE_SECONDS
          Thread.new { sleep(EXIT_LIMIT_SECONDS) and exit!(code) }
          @ledger.cancel_all('shutdown')
          @pool.stop
          @ledger.wait_until_idle(limit, even_when_closed: true)
          @clerk.stop
          @outbox.close
          code
        end

        def pause = send_message('type' => 'ready', 'pools' => {@pool_name => 0})

        def send_message(header) = @outbox.put(Protocol::Frame.encode(header))
      end
    end
  end
end
