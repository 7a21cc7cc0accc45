# frozen_string_literal: true

require_relative 'batch_processing_outcome/no_batches'
require_relative 'batch_processing_outcome/create_batches'

module TaskerCore
  module Types
    # What a batch analyzer planned.
    module BatchProcessingOutcome
      module_function

      # @return [NoBatches]
      def no_batches = NoBatches.new

      # @return [CreateBatches]
      # @raise [ArgumentError] when the plan is not consistent
      def create_batches(worker_template_name:, worker_count:, cursor_configs:, total_items:)
        CreateBatches.new(worker_template_name: worker_template_name, worker_count: worker_count,
                          cursor_configs: cursor_configs, total_items: total_items)
      end

      # @return [NoBatches, CreateBatches, nil] nil when the hash is no outcome
      def from_hash(hash)
        return nil unless hash.is_a?(Hash)

        plan = IndifferentHash.wrap(hash)
        case plan['type'].to_s
        when 'no_batches', 'NoBatches' then no_batches
        when 'create_batches', 'CreateBatches'
          create_batches(worker_template_name: plan['worker_template_name'], worker_count: plan['worker_count'],
                         cursor_configs: plan['cursor_configs'] || [], total_items: plan['total_items'])
        end
      end
    end
  end
end
