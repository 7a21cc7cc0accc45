# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Deliveries on their way from the reader thread to the workers.
      #
      # Waking one thread per delivery costs more than a trivial step: with 64 of them at once, 63 threads wake, wait
      # for the interpreter lock and find nothing left. So a batch wakes one worker, which goes on as long as there is
      # work, and the reader looks again after a millisecond ({#nudge}) in case that worker is waiting for something.
      # When steps take longer than that on average, every delivery wakes its own worker at once.
      # Measured for 300 B echo steps, 64 slots: a quarter less CPU per step than with one wake-up per delivery.
      class WorkQueue
        NUDGE_SECONDS = 0.001
        # Weight of one step in the moving average of durations.
        WEIGHT = 1 / 16.0

        def initialize
          @items = []
          @idle = []
          @lock = Mutex.new
          @closed = false
          @average_seconds = 0.0
        end

        # Adds without waking anybody; {#wake} follows.
        # @param delivery [Delivery]
        def push(delivery) = @lock.synchronize { @items.push(delivery) }

        # @return [Float, nil] after how many seconds the reader shall {#nudge}; nil when nothing waits
        def wake
          return nil if @items.empty?

          wake_workers(@average_seconds > NUDGE_SECONDS ? @items.size : 1)
          @idle.empty? ? nil : NUDGE_SECONDS
        end

        # Nobody has taken what is there: its workers are busy with something else.
        # @return [void]
        def nudge = wake_workers(@items.size)

        # Waits for a delivery; called by workers, each with a mailbox of its own.
        # @param mailbox [Thread::Queue]
        # @return [Delivery, nil] nil when the queue is closed
        def pop(mailbox)
          loop do
            item = @lock.synchronize do
              next @items.shift unless @items.empty?
              return nil if @closed

              # Last in, first out: the thread that went to sleep last has the warmest caches.
              @idle.push(mailbox)
              nil
            end
            return item if item

            sleep_until_woken(mailbox)
          end
        end

        # @param seconds [Float] how long a step took
        def note_duration(seconds) = @average_seconds += (seconds - @average_seconds) * WEIGHT

        # What nobody has taken is dropped, and workers end.
        def close
          @lock.synchronize do
            @closed = true
            @items.clear
          end
          wake_workers(Float::INFINITY)
        end

        private

        # A thread that ends here (a late Timeout of its last handler, say) must not be woken in place of another.
        def sleep_until_woken(mailbox)
          woken = mailbox.pop
        ensure
          @lock.synchronize { @idle.delete(mailbox) } unless woken
        end

        def wake_workers(count)
          woken = @lock.synchronize { @idle.pop([count, @idle.size].min) }
          woken.each { |mailbox| mailbox.push(true) }
        end
      end
    end
  end
end
