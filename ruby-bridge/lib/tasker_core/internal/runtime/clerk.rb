# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Writes what no worker writes: answers of the reader thread (which must never wait for the host), log
      # records that no completion has taken along, and heartbeats of steps that ask for them.
      #
      # Its thread sleeps until it is given something; with nothing to do it has no timer. It ends with {#stop} or
      # with the process.
      class Clerk
        LOG_DELAY_SECONDS = 0.2
        # Progress is for people and for long leases: a handler may report every item.
        PROGRESS_DELAY_SECONDS = 0.2

        def initialize(outbox, ledger)
          @outbox = outbox
          @ledger = ledger
          @frames = []
          @lock = Mutex.new
          @changed = ConditionVariable.new
          @flush_at = @beat_at = @beat_every = nil
          @stopped = false
        end

        # @param logs [LogRing]
        def start(logs)
          @logs = logs
          @thread = Thread.new { run }
          @thread.name = 'tasker-clerk'
        end

        # @param frame [String]
        def put(frame) = change { @frames << frame }

        # Log records are waiting.
        def logs_waiting = change { @flush_at ||= Clock.now + LOG_DELAY_SECONDS }

        # A handler says that it is alive, and perhaps how far it is: at most one `beat` per delivery in the interval.
        def progress = change { @beat_at = [@beat_at, Clock.now + PROGRESS_DELAY_SECONDS].compact.min }

        # A step wants a `beat` at least this often; the shortest wish rules as long as such steps run.
        def beat(every_ms)
          change do
            @beat_every = [@beat_every, every_ms / 2000.0].compact.min
            @beat_at = [@beat_at, Clock.now + @beat_every].compact.min
          end
        end

        def stop
          change { @stopped = true }
          @thread&.join(1)
        end

        private

        def change
          @lock.synchronize do
            yield
            @changed.signal
          end
        end

        def run
          loop do
            frames, flush, beat = wait_for_work
            break if frames.nil?

            frames.each { |frame| @outbox.put(frame) }
            @logs.flush if flush
            send_beats if beat
          end
        end

        # @return [Array, nil] frames to write, whether to write logs, whether to beat
        def wait_for_work
          @lock.synchronize do
            loop do
              return nil if @stopped

              now = Clock.now
              flush = @flush_at && @flush_at <= now
              beat = @beat_at && @beat_at <= now
              unless @frames.empty? && !flush && !beat
                frames = @frames
                @frames = []
                @flush_at = nil if flush
                @beat_at = nil if beat
                return [frames, flush, beat]
              end
              next_at = [@flush_at, @beat_at].compact.min
              @changed.wait(@lock, next_at && next_at - now)
            end
          end
        end

        def send_beats
          asking, others = @ledger.running.partition { |delivery| delivery.header['heartbeat_ms'] }
          ids = (asking + others.select(&:progress_waiting?)).map(&:beat)
          @lock.synchronize { @beat_every = nil } if asking.empty?

          ids.each_slice(Protocol::Messages::MAX_ITEMS) do |slice|
            @outbox.put(Protocol::Frame.encode({'type' => 'beat', 'deliveries' => slice}))
          end
          @lock.synchronize { @beat_at ||= @beat_every && (Clock.now + @beat_every) }
        end
      end
    end
  end
end
