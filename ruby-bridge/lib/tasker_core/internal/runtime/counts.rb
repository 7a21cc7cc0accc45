# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # What a connection has done since it began, for diagnosis.
      class Counts
        # @return [Time]
        attr_reader :since
        # @return [Integer] steps answered
        attr_reader :answered_count

        def initialize
          @since = Time.now.utc
          @answered_count = 0
          @lock = Mutex.new
        end

        def answered = @lock.synchronize { @answered_count += 1 }
      end
    end
  end
end
