# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Time that never jumps.
      module Clock
        # @return [Float] seconds
        def self.now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end
  end
end
