# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Sends terminal messages: one per delivery, after the log records that its handler wrote.
      class Completions
        # @param counts [Counts]
        def initialize(ledger:, outbox:, logs:, counts:)
          @ledger = ledger
          @outbox = outbox
          @logs = logs
          @counts = counts
        end

        # @param frame [String]
        # @return [Boolean] false when the delivery has been answered already
        def submit(delivery, frame)
          return false unless @ledger.complete(delivery, frame)

          @counts.answered
          @logs.flush unless @logs.settled?
          @outbox.put(frame)
          true
        end
      end
    end
  end
end
