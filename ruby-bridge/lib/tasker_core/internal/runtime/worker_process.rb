# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # One connection to a host, from `hello` to `bye`: builds the parts, then waits for the host or a signal to end
      # it. `run` serves on the calling thread and owns the process; `start` and `serve` are for programs that have more
      # to do ({Worker::Bootstrap}).
      class WorkerProcess
        # From the end of the channel to the end of the process; handlers are cancelled at once.
        CLOSED_GRACE_SECONDS = 4
        EXIT_LIMIT_SECONDS = 5
        DRAIN_GRACE_MS = 25_000
        ACK_WAIT_SECONDS = 5
        PONG_WAIT_SECONDS = 1

        # @param io [IO] the channel
        # @return [Ledger] what runs; nil before {#start}
        attr_reader :ledger
        # @return [PolledSteps, nil] in place of the threads, when made with `polled: true`
        attr_reader :steps
        # @return [Counts]
        attr_reader :counts
        # @return [String, nil] name of the connection, given by the host
        attr_reader :connection_id

        # @param handlers [Array<Hash>] body of `hello`
        # @param token [String, nil] of the host that is joined
        # @param polled [Boolean] steps wait for {PolledSteps#poll} instead of being run by threads
        # @param observer [#received, #answered, nil] told about the steps that threads run
        # @param owns_process [Boolean] the process ends with the connection, even if handlers do not stop
        def initialize(io, pool:, slots:, handlers:, registry: Registry::HandlerRegistry.instance, token: nil, polled: false,
                       owns_process: true, observer: nil)
          @io = io
          @token = token
          @polled = polled
          @owns_process = owns_process
          @observer = observer
          @counts = Counts.new
          @pool_name = pool
          @slots = slots
          @handlers = handlers
          @registry = registry
          @control = Thread::Queue.new
        end

        # Serves until the host or a signal ends it.
        # @return [Integer] exit code
        def run
          start_subscribers
          start { trap_signals }
          serve
        end

        # Shakes hands and begins to take steps.
        # @yield before the first step is taken
        # @return [self]
        def start
          reader = ChannelReader.new(@io, max_frame: Protocol::Handshake::MAX_FRAME)
          agreement = Greeter.new(@io, reader, pool: @pool_name, slots: @slots, handlers: @handlers, token: @token).greet
          @connection_id = agreement.connection_id
          build(reader, agreement)
          yield if block_given?
          @inbox.start(agreement.early_messages)
          self
        end

        # Waits until the host, {#stop} or a signal ends the connection.
        # @return [Integer] exit code
        def serve
          loop do
            event, *details = @control.pop
            case event
            when :drain then return drain(details[0], details[1])
            when :signal then return drain_by_signal(details[0], *details[1])
            when :bye, :channel_closed then return leave(0)
            when :broken then return give_up(*details)
            end
          end
        ensure
          LogOutput.sink = nil
          @ended = true
        end

        # Asks for a drain of its own: {#serve} returns when what runs is finished. Safe in a signal handler.
        # @param grace_ms [Integer] how long running steps may take
        def stop(reason, grace_ms: DRAIN_GRACE_MS) = @control << [:signal, reason, grace_ms]

        # @return [Boolean] connected, and not yet over
        def running? = !@ledger.nil? && !@ended

        # Sends a message of the running step, before its terminal message.
        # @return [void]
        def send_message(header, body = nil) = @outbox.put(Protocol::Frame.encode(header, body))

        private

        def build(reader, agreement)
          @ledger = Ledger.new(@slots)
          @outbox = Outbox.new(@io, on_lost: ->(_error) { @control << [:channel_closed] })
          @clerk = Clerk.new(@outbox, @ledger)
          @logs = LogRing.new(@outbox, on_first: @clerk.method(:logs_waiting))
          completions = Completions.new(ledger: @ledger, outbox: @outbox, logs: @logs, counts: @counts)
          frames = CompletionFrames.new(agreement.max_frame)
          @events = EventLane.new(@outbox)
          publications = Publications.new(@events, agreement.max_frame)
          queue = consumer(completions, frames, publications)
          @inbox = Inbox.new(reader: reader, ledger: @ledger, queue: queue, clerk: @clerk, control: @control,
                             events: @events, publications: publications)
          LogOutput.sink = @logs.method(:push)
          ForkGuard.install { leave_channel }
          @clerk.start(@logs)
          @events.start
          @pool.start
        end

        # Who takes the steps, and the queue between it and the reader.
        def consumer(completions, frames, publications)
          return (@pool = @steps = PolledSteps.new(completions, frames, publications)) if @polled

          runner = StepRunner.new(registry: @registry, completions: completions, frames: frames,
                                  publications: publications, clerk: @clerk, observer: @observer)
          queue = WorkQueue.new
          @pool = WorkerPool.new(@slots, runner, queue)
          queue
        end

        # Before the handshake, which says what they want.
        def start_subscribers
          DomainEvents::SubscriberRegistry.instance.start_all!
          poller = Worker::InProcessDomainEventPoller.instance
          poller.start! if poller.subscriber_count.positive?
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
          @ended = true
          @outbox.close
          @pool.stop
          LogOutput.sink = nil
          @io.close
          %w[TERM INT].each { |signal| Signal.trap(signal, 'DEFAULT') }
        end

        # The pong comes after every step that the host sent before it had read `drain`.
        def drain_by_signal(signal, grace_ms = DRAIN_GRACE_MS)
          send_message('type' => 'drain', 'grace_ms' => grace_ms, 'reason' => signal)
          pause
          send_message('type' => 'ping', 'n' => 0)
          @ledger.wait_until_pong(Clock.now + PONG_WAIT_SECONDS)
          drain(grace_ms, signal)
        end

        def drain(grace_ms, reason)
          deadline = Clock.now + grace_ms / 1000.0
          pause
          finished = @ledger.wait_until_idle(deadline)
          @events.wait_until_idle(Clock.now + ACK_WAIT_SECONDS) if finished
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
          Thread.new { sleep(EXIT_LIMIT_SECONDS) and exit!(code) } if @owns_process
          @ledger.cancel_all('shutdown')
          @events.stop
          @pool.stop
          @ledger.wait_until_idle(limit, even_when_closed: true)
          @clerk.stop
          @outbox.close
          @io.close unless @owns_process
          code
        end

        def pause = send_message('type' => 'ready', 'pools' => {@pool_name => 0})
      end
    end
  end
end
