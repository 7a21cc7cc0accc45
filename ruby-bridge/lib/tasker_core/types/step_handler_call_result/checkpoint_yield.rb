# frozen_string_literal: true

module TaskerCore
  module Types
    module StepHandlerCallResult
      # A batch worker has stored its progress and wants to be called again with it.
      class CheckpointYield
        # @return [Object] where to go on, any JSON value
        attr_reader :cursor
        # @return [Integer] items done so far
        attr_reader :items_processed
        # @return [Hash, nil] partial results
        attr_reader :accumulated_results

        # @raise [ArgumentError] unless items_processed is an Integer >= 0
        def initialize(cursor:, items_processed:, accumulated_results: nil)
          unless items_processed.is_a?(Integer) && items_processed >= 0
            raise ArgumentError, "items_processed must be an Integer >= 0, got #{items_processed.inspect}"
          end

          @cursor = cursor
          @items_processed = items_processed
          @accumulated_results = accumulated_results
        end

        def success? = false
        def checkpoint? = true

        # @return [Hash] Symbol keys
        def to_h = {cursor: cursor, items_processed: items_processed, accumulated_results: accumulated_results}

        # @return [Hash] the form in which a checkpoint is submitted
        def to_checkpoint_data(event_id:, step_uuid:)
          data = {event_id: event_id, step_uuid: step_uuid, cursor: cursor, items_processed: items_processed}
          data[:accumulated_results] = accumulated_results if accumulated_results
          data
        end
      end
    end
  end
end
