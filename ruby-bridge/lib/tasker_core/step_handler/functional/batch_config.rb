# frozen_string_literal: true

module TaskerCore
  module StepHandler
    module Functional
      # What the block of a batch analyzer returns.
      class BatchConfig
        # @return [Integer]
        attr_reader :total_items
        # @return [Integer] items per worker
        attr_reader :batch_size
        # @return [Hash] further entries of the result
        attr_reader :metadata

        # @raise [ArgumentError] unless batch_size is positive
        def initialize(total_items:, batch_size:, metadata: {})
          raise ArgumentError, "batch_size must be positive, got #{batch_size.inspect}" unless batch_size.positive?

          @total_items = total_items
          @batch_size = batch_size
          @metadata = metadata
        end

        # @return [Integer]
        def worker_count = (total_items.to_f / batch_size).ceil
      end
    end
  end
end
