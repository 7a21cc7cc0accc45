# frozen_string_literal: true

module TaskerCore
  module Internal
    # Where log records go: to a block that the runtime sets, else to stderr as text.
    module LogOutput
      LEVELS = %w[trace debug info warn error fatal].freeze

      class << self
        # @return [#call, nil] takes a record Hash
        attr_accessor :sink

        # @return [Integer] index of the lowest level that is kept
        def threshold
          @threshold ||= LEVELS.index(ENV.fetch('LOG_LEVEL', 'info').downcase) || LEVELS.index('info')
        end

        # @param level [String] one of {LEVELS}
        # @param fields [Hash] further values
        def write(level, logger, message, fields = {})
          return if (LEVELS.index(level) || 2) < threshold

          record = record(level, logger, message, fields)
          sink ? sink.call(record) : print_text(record)
          nil
        end

        private

        def record(level, logger, message, fields)
          thread = Thread.current
          ids = {'task_uuid' => thread[:task_uuid], 'step_uuid' => thread[:step_uuid]}.compact
          {'ts' => Time.now.utc.iso8601(3), 'level' => level, 'logger' => logger, 'message' => message.to_s,
           'delivery_id' => thread[:tasker_delivery_id], 'correlation_id' => thread[:correlation_id],
           'fields' => ids.merge(fields)}.compact
        end

        def print_text(record)
          fields = record['fields'].map { |key, value| " #{key}=#{value}" }.join
          $stderr.puts "#{record['ts']} #{record['level'].upcase} #{record['logger']}: #{record['message']}#{fields}"
        end
      end
    end
  end
end
