# frozen_string_literal: true

module TaskerCore
  module Types
    module BatchProcessingOutcome
      # There is nothing to do.
      class NoBatches
        def type = 'no_batches'
        def requires_batch_creation? = false
        def to_h = {'type' => type}
      end
    end
  end
end
