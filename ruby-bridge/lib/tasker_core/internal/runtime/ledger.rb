# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Which deliveries run and which completions the host has not acknowledged. The reader thread adds and
      # acknowledges, workers complete, the main thread waits.
      class Ledger
        # @param slots [Integer] most deliveries at a time
        def initialize(slots)
          @slots = slots
          @running = {}
          @unacknowledged = {}
          @lock = Mutex.new
          @changed = ConditionVariable.new
          @waiting = false
          @closed = false
          @pongs = 0
        end

        # @return [String, nil] code of the `nack` when the delivery cannot be taken
        def add(delivery)
          @lock.synchronize do
            return 'duplicate_delivery' if @running.key?(delivery.id) || @unacknowledged.key?(delivery.id)
            return 'no_slot' if @running.size >= @slots

            @running[delivery.id] = delivery
          end
          nil
        end

        # @return [Boolean] false when the delivery was not running
        def cancel(id, reason)
          delivery = @lock.synchronize { @running[id] }
          delivery&.cancellation&.cancel(reason)
          !delivery.nil?
        end

        def cancel_all(reason)
          @lock.synchronize { @running.values }.each { |delivery| delivery.cancellation.cancel(reason) }
        end

        # Called before the frame is written, so that the slot is free when the host's next step arrives.
        # @return [Boolean] false when the delivery has been answered already
        def complete(delivery, frame)
          @lock.synchronize do
            return false unless @running.delete(delivery.id)

            @unacknowledged[delivery.id] = frame
            @changed.broadcast if @waiting
          end
          true
        end

        # @param items [Array<Hash>] with the id of a delivery each, as an `ack` has them
        def acknowledge(items)
          @lock.synchronize do
            items.each { |item| @unacknowledged.delete(item['id']) }
            @changed.broadcast if @waiting
          end
        end

        def running_count = @lock.synchronize { @running.size }
        # @return [Array<Delivery>]
        def running = @lock.synchronize { @running.values }

        # The host has answered a ping, and so has read everything sent before it.
        def note_pong
          @lock.synchronize do
            @pongs += 1
            @changed.broadcast
          end
        end

        # @return [Boolean] true when a pong has come
        def wait_until_pong(deadline) = wait(deadline, false) { @pongs.positive? }

        # The channel is gone: nobody will acknowledge anything.
        def close
          @lock.synchronize do
            @closed = true
            @changed.broadcast
          end
        end

        # @return [Boolean] true when nothing runs any more
        def wait_until_idle(deadline, even_when_closed: false)
          wait(deadline, even_when_closed) { @running.empty? }
        end

        # @return [Boolean] true when the host has every completion
        def wait_until_acknowledged(deadline) = wait(deadline, false) { @unacknowledged.empty? }

        private

        def wait(deadline, even_when_closed)
          @lock.synchronize do
            @waiting = true
            until yield
              left = deadline - Clock.now
              return false if left <= 0 || (@closed && !even_when_closed)

              @changed.wait(@lock, left)
            end
          end
          true
        end
      end
    end
  end
end
