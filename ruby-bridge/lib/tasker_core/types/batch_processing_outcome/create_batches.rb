# frozen_string_literal: true

module TaskerCore
  module Types
    module BatchProcessingOutcome
      # One worker step is created per cursor config.
      class CreateBatches
        attr_reader :worker_template_name, :worker_count, :cursor_configs, :total_items

        def initialize(worker_template_name:, worker_count:, cursor_configs:, total_items:)
          @worker_template_name = worker_template_name
          @worker_count = worker_count
          @cursor_configs = cursor_configs.map { |config| config.to_h.transform_keys(&:to_s) }
          @total_items = total_items
          validate!
        end

        def type = 'create_batches'
        def requires_batch_creation? = true

        def to_h
          {'type' => type, 'worker_template_name' => worker_template_name, 'worker_count' => worker_count,
           'cursor_configs' => cursor_configs, 'total_items' => total_items}
        end

        private

        def validate!
          raise ArgumentError, 'worker_template_name must not be empty' if worker_template_name.to_s.empty?
          raise ArgumentError, 'cursor_configs must not be empty' if cursor_configs.empty?
          unless worker_count == cursor_configs.size
            raise ArgumentError, "worker_count is #{worker_count.inspect}, but there are #{cursor_configs.size} cursor_configs"
          end

          cursor_configs.each { |config| validate_size!(config) }
        end

        def validate_size!(config)
          first, last, size = config.values_at('start_cursor', 'end_cursor', 'batch_size')
          return unless first.is_a?(Integer) && last.is_a?(Integer) && size != last - first

          raise ArgumentError, "batch #{config['batch_id']}: batch_size is #{size.inspect}, " \
                               "but #{first} to #{last} are #{last - first} items"
        end
      end
    end
  end
end
