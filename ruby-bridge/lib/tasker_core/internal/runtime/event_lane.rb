# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Hands the host's events to the subscribers of this process, one after the other.
      #
      # Its thread sleeps until there is something, and ends with {#stop}, behind what waits, or with the process: a
      # subscriber that hangs holds up nothing else. The host sends at most 64 events ahead of what it was told is done, which bounds the queue.
      class EventLane
        REPORT_EVERY = 16
        WAITING_EVENTS = 256

        # @param outbox [Outbox]
        # @param feed [EventFeed]
        def initialize(outbox, feed = EventFeed.instance)
          @outbox = outbox
          @feed = feed
          @queue = Thread::Queue.new
          @seq = @reported = @pending = 0
          @failed = {'lifecycle' => 0, 'domain' => 0}
          @lock = Mutex.new
          @idle = ConditionVariable.new
        end

        # From now on the host hears of what subscribes later.
        def start
          @on_change = -> { submit { @outbox.put(Protocol::Frame.encode({'type' => 'subscribe', **@feed.interest})) } }
          @feed.on_change = @on_change
          @thread = Thread.new { run }
          @thread.name = 'tasker-events'
        end

        # @param header [Hash] of a `notify`
        # @return [Array(String, String), nil] code and detail of the `nack`, when the host sends more than it may
        def receive(header, body)
          return ['no_room', 'more events than were dealt with'] if @queue.size >= WAITING_EVENTS

          submit { deliver(header, body) }
          nil
        end

        # Runs something behind the events that came before it; nothing once stopped.
        def submit(&work)
          @lock.synchronize do
            return if @queue.closed?

            @pending += 1
            @queue << work
          end
        end

        # @return [Boolean] true when nothing waits any more
        def wait_until_idle(deadline)
          @lock.synchronize do
            while @pending.positive?
              left = deadline - Clock.now
              return false if left <= 0

              @idle.wait(@lock, left)
            end
          end
          true
        end

        def stop
          # A connection that replaces this one may have taken the place already.
          @feed.on_change = nil if @feed.on_change.equal?(@on_change)
          @lock.synchronize { @queue.close }
        end

        private

        def run
          while (work = @queue.pop)
            begin
              work.call
            rescue StandardError => e
              LogOutput.write('error', 'events', "an event failed: #{e.class}: #{e.message}")
            end
            report if @seq > @reported && (@queue.empty? || @seq - @reported >= REPORT_EVERY)
            @lock.synchronize { @idle.broadcast if (@pending -= 1).zero? }
          end
        end

        def deliver(header, body)
          stream, name, @seq = header.values_at('stream', 'name', 'seq')
          @failed[stream] += @feed.deliver(stream, name, event(stream, Json.parse_body(body)))
        rescue StandardError
          @failed[stream] += 1
          raise
        end

        # Subscribers of lifecycle events read Symbols at the top level only, as the contract has it.
        def event(stream, data)
          return data.to_h { |key, value| [key.to_sym, value.is_a?(IndifferentHash) ? value.to_hash : value] } if stream == 'lifecycle'

          DomainEventForm.from_envelope(data)
        end

        def report
          @reported = @seq
          @outbox.put(Protocol::Frame.encode({'type' => 'notified', 'seq' => @seq, 'lifecycle_failed' => @failed['lifecycle'],
                                              'domain_failed' => @failed['domain']}))
        end
      end
    end
  end
end
