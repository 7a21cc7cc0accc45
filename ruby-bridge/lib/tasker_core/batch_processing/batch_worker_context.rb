# frozen_string_literal: true

module TaskerCore
  module BatchProcessing
    # What one batch worker has to do: its cursor range and its last checkpoint.
    class BatchWorkerContext
      # @return [Hash] Symbol keys: batch_id, start_cursor, end_cursor, batch_size
      attr_reader :cursor
      # @return [Hash] Symbol keys
      attr_reader :batch_metadata
      # @return [Boolean]
      attr_reader :is_no_op
      # @return [IndifferentHash]
      attr_reader :checkpoint

      # @param workflow_step [Models::WorkflowStepWrapper]
      # @return [BatchWorkerContext]
      # @raise [ArgumentError] when the cursor is missing or impossible
      def self.from_step_data(workflow_step) = new(workflow_step)

      def initialize(workflow_step)
        inputs = IndifferentHash.wrap(workflow_step.inputs || {})
        @is_no_op = inputs['is_no_op'] == true
        @cursor = symbols(inputs['cursor'])
        @batch_metadata = symbols(inputs['batch_metadata'])
        @checkpoint = IndifferentHash.wrap(workflow_step.checkpoint || {})
        validate! unless @is_no_op
      end

      # @return [Integer]
      def start_cursor = cursor[:start_cursor].to_i
      # @return [Integer]
      def end_cursor = cursor[:end_cursor].to_i
      # @return [String]
      def batch_id = cursor[:batch_id] || 'unknown'
      def no_op? = is_no_op
      def checkpoint_cursor = checkpoint['cursor']
      def accumulated_results = checkpoint['accumulated_results']
      def has_checkpoint? = !checkpoint_cursor.nil?
      # @return [Integer]
      def checkpoint_items_processed = checkpoint['items_processed'] || 0

      private

      def symbols(hash) = IndifferentHash.wrap(hash || {}).deep_symbolize_keys

      def validate!
        raise ArgumentError, 'batch worker inputs have no cursor' if cursor.empty?

        %i[batch_id start_cursor end_cursor].each do |key|
          raise ArgumentError, "batch worker cursor has no #{key}" if cursor[key].nil?
        end
        validate_range!(*cursor.values_at(:start_cursor, :end_cursor))
      end

      def validate_range!(first, last)
        integers = [first, last].count { |value| value.is_a?(Integer) }
        raise ArgumentError, "cursors must be of one kind, got #{first.inspect} and #{last.inspect}" if integers == 1
        return if integers.zero?
        raise ArgumentError, "cursors must not be negative, got #{first} to #{last}" if first.negative? || last.negative?
        raise ArgumentError, "start_cursor #{first} is after end_cursor #{last}" if first > last

        Logger.instance.warn("batch #{batch_id} is empty: both cursors are #{first}") if first == last
      end
    end
  end
end
