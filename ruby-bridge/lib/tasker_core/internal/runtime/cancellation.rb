# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Tells a running handler that it should stop. Set by the reader thread, read by the worker's.
      class Cancellation
        # @return [String, nil] why, in the words of `cancel`
        attr_reader :reason

        # One lock for all: it is taken only to cancel and to wait, which ordinary steps never do.
        LOCK = Mutex.new
        private_constant :LOCK

        def cancelled? = !@reason.nil?

        # @return [void]
        def cancel(reason)
          LOCK.synchronize do
            @reason ||= reason
            @changed&.broadcast
          end
        end

        # Sleeps until cancelled, at most `seconds`.
        # @return [Boolean] whether it was cancelled
        def wait(seconds)
          deadline = Clock.now + seconds
          LOCK.synchronize do
            @changed ||= ConditionVariable.new
            until cancelled?
              left = deadline - Clock.now
              break if left <= 0

              @changed.wait(LOCK, left)
            end
          end
          cancelled?
        end
      end
    end
  end
end
