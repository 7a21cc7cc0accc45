# frozen_string_literal: true

module TaskerCore
  module Internal
    module Protocol
      # Which fields each message's header has. The source is the JSON Schemas in `test/conformance/bridge`;
      # the vectors there check this table. Unknown fields are ignored; an optional field may be null.
      module Messages
        # Limit of `message` in an `error`, bytes.
        MAX_MESSAGE_BYTES = 8192
        # Limit of lists in headers.
        MAX_ITEMS = 256

        TEXT = ->(value) { String === value }
        NAME = ->(value) { String === value && !value.empty? }
        ID = ->(value) { String === value && !value.empty? && value.length <= 64 }
        NONCE = ->(value) { String === value && value.length.between?(32, 64) }
        FLAG = ->(value) { true == value || false == value }
        NUMBER = ->(value) { (Integer === value || (Float === value && value.finite?)) && value >= 0 }
        # An integer may be written `1.0`.
        WHOLE = ->(value) { (Integer === value || (Float === value && value.finite? && value % 1 == 0)) && value >= 0 }
        POSITIVE = ->(value) { WHOLE.call(value) && value >= 1 }
        FRAME_LIMIT = ->(value) { WHOLE.call(value) && value >= 1024 }
        STATUS = ->(value) { WHOLE.call(value) && value <= 65_535 }
        ZERO = ->(value) { WHOLE.call(value) && value.zero? }
        MESSAGE = ->(value) { String === value && value.length <= MAX_MESSAGE_BYTES }
        ONE_OF = ->(*words) { ->(value) { words.include?(value) } }
        # A rule answers true, false (invalid) or :missing (a field inside is).
        ALL = lambda do |values, rule|
          values.each { |value| (verdict = rule.call(value)) == true or return verdict }
          true
        end
        LIST = ->(rule, limit = MAX_ITEMS) { ->(value) { Array === value && value.size <= limit && ALL.call(value, rule) } }
        MAP = ->(rule) { ->(value) { Hash === value && ALL.call(value.values, rule) } }
        RECORD = lambda do |required, optional = {}|
          lambda do |value|
            next false unless Hash === value

            required.each_pair do |key, rule|
              field = value[key]
              next if rule.call(field) == true

              return required.keys.all? { |name| value.key?(name) } ? false : :missing
            end
            optional.each_pair { |key, rule| return false unless value[key].nil? || rule.call(value[key]) }
            true
          end
        end

        Shape = Struct.new(:direction, :required, :optional)

        TYPES = {
          'challenge' => Shape.new(:handler, {
            'protocols' => LIST.call(POSITIVE, 16), 'features' => LIST.call(TEXT), 'host_id' => TEXT,
            'nonce' => NONCE, 'auth' => ONE_OF.call('none', 'hmac'), 'max_frame' => FRAME_LIMIT
          }, {}),
          'hello' => Shape.new(:host, {
            'protocol' => POSITIVE, 'features' => LIST.call(TEXT), 'language' => NAME, 'language_version' => TEXT,
            'sdk_version' => TEXT, 'worker_id' => NAME, 'pid' => WHOLE, 'hostname' => TEXT, 'max_frame' => FRAME_LIMIT,
            'pools' => LIST.call(RECORD.call({'name' => NAME, 'slots' => WHOLE}, {'prefetch' => WHOLE}))
          }, {
            'resume_id' => TEXT, 'nonce' => NONCE, 'proof' => TEXT, 'max_bytes' => WHOLE, 'held' => LIST.call(TEXT, 4096),
            'lifecycle_events' => LIST.call(TEXT), 'domain_events' => LIST.call(TEXT), 'publishers' => LIST.call(TEXT)
          }),
          'welcome' => Shape.new(:handler, {
            'protocol' => POSITIVE, 'features' => LIST.call(TEXT), 'connection_id' => TEXT, 'max_frame' => FRAME_LIMIT,
            'ping_ms' => NUMBER, 'lease_ms' => NUMBER, 'resume_ms' => NUMBER
          }, {'proof' => TEXT, 'keep' => LIST.call(TEXT, 4096), 'drop' => LIST.call(TEXT, 4096)}),
          'reject' => Shape.new(:handler, {
            'code' => ONE_OF.call('version', 'auth', 'duplicate_worker', 'bad_hello', 'limit'), 'message' => TEXT
          }, {'supported' => LIST.call(POSITIVE, 16)}),
          'step' => Shape.new(:handler, {
            'delivery_id' => ID, 'task_uuid' => TEXT, 'step_uuid' => TEXT, 'correlation_id' => TEXT,
            'callable' => NAME, 'pool' => TEXT, 'attempt' => POSITIVE, 'max_attempts' => WHOLE,
            'timeout_ms' => NUMBER, 'lease_ms' => NUMBER
          }, {
            'parent_correlation_id' => TEXT, 'method' => TEXT, 'heartbeat_ms' => NUMBER,
            'traceparent' => TEXT, 'tracestate' => TEXT, 'solo' => FLAG
          }),
          'cancel' => Shape.new(:handler, {
            'delivery_id' => ID, 'grace_ms' => NUMBER,
            'reason' => ONE_OF.call('timeout', 'task_cancelled', 'lease_lost', 'shutdown')
          }, {}),
          'ready' => Shape.new(:host, {'pools' => MAP.call(WHOLE)}, {'max_bytes' => WHOLE}),
          'started' => Shape.new(:host, {'deliveries' => LIST.call(TEXT)}, {}),
          'beat' => Shape.new(:host, {
            'deliveries' => LIST.call(RECORD.call({'id' => TEXT}, {'progress' => NUMBER}))
          }, {'extend_ms' => NUMBER}),
          'result' => Shape.new(:host, {
            'delivery_id' => ID, 'execution_ms' => NUMBER, 'split' => WHOLE,
            'outcome' => ONE_OF.call('success', 'decision', 'batch_plan')
          }, {}),
          'error' => Shape.new(:host, {
            'delivery_id' => ID, 'execution_ms' => NUMBER, 'error_type' => TEXT, 'message' => MESSAGE,
            'retryable' => FLAG,
            'kind' => ONE_OF.call('handler', 'timeout', 'cancelled', 'handler_not_found', 'invalid_result',
                                  'payload_too_large', 'panic')
          }, {'code' => TEXT, 'retry_after_ms' => NUMBER, 'status_code' => STATUS, 'split' => ZERO}),
          'checkpoint' => Shape.new(:host, {
            'delivery_id' => ID, 'seq' => WHOLE, 'items_processed' => WHOLE, 'yield' => FLAG
          }, {}),
          'event' => Shape.new(:host, {
            'delivery_id' => ID, 'name' => NAME, 'version' => TEXT, 'on' => ONE_OF.call('success', 'failure', 'always')
          }, {'publisher' => NAME, 'verdict' => ONE_OF.call('publish', 'declined', 'failed'), 'split' => WHOLE}),
          'subscribe' => Shape.new(:host, {'lifecycle_events' => LIST.call(TEXT), 'domain_events' => LIST.call(TEXT)}, {}),
          'notify' => Shape.new(:handler, {
            'stream' => ONE_OF.call('lifecycle', 'domain'), 'name' => NAME, 'seq' => POSITIVE
          }, {}),
          'notified' => Shape.new(:host, {'seq' => WHOLE, 'lifecycle_failed' => WHOLE, 'domain_failed' => WHOLE}, {}),
          'log' => Shape.new(:host, {'dropped' => WHOLE}, {}),
          'stats' => Shape.new(:host, {
            'pools' => MAP.call(RECORD.call({'slots' => WHOLE, 'busy' => WHOLE, 'queued' => WHOLE, 'abandoned' => WHOLE})),
            'rss' => WHOLE, 'io_lag_ms' => NUMBER
          }, {}),
          'ack' => Shape.new(:handler, {
            'items' => LIST.call(RECORD.call({
              'id' => TEXT, 'kind' => ONE_OF.call('result', 'error', 'checkpoint'),
              'status' => ONE_OF.call('committed', 'stale', 'rejected')
            }, {'seq' => WHOLE, 'code' => TEXT, 'unpublished' => LIST.call(TEXT)}))
          }, {}),
          'nack' => Shape.new(:both, {'ref_type' => TEXT, 'code' => NAME, 'detail' => TEXT}, {'ref_id' => TEXT}),
          'ping' => Shape.new(:both, {'n' => WHOLE}, {}),
          'pong' => Shape.new(:both, {'n' => WHOLE}, {}),
          'drain' => Shape.new(:both, {'grace_ms' => NUMBER, 'reason' => TEXT}, {}),
          'bye' => Shape.new(:both, {'reason' => TEXT}, {'code' => TEXT})
        }.freeze

        private_constant :TEXT, :NAME, :ID, :NONCE, :FLAG, :NUMBER, :WHOLE, :POSITIVE, :FRAME_LIMIT, :STATUS, :ZERO,
                         :MESSAGE, :ONE_OF, :ALL, :LIST, :MAP, :RECORD, :Shape

        module_function

        # @param header [Hash] with a String under `type`
        # @param to [Symbol] `:handler` or `:host`, who received it
        # @return [Array(String, String), nil] code and detail of the `nack`, or nil when the header is good
        def problem(header, to: :handler)
          shape = TYPES[header['type']]
          if shape.nil? || (shape.direction != to && shape.direction != :both)
            return ['unsupported', "message type #{header['type'].inspect} is not for a #{to}"]
          end

          shape.required.each_pair do |key, rule|
            verdict = rule.call(header[key])
            return missing(header, shape) || refusal(header, key, verdict) unless verdict == true
          end
          shape.optional.each_pair do |key, rule|
            next if (value = header[key]).nil?

            verdict = rule.call(value)
            return refusal(header, key, verdict) unless verdict == true
          end
          nil
        end

        # A missing field is reported before an invalid one, wherever it is; looked for only when something is wrong.
        def missing(header, shape)
          key = shape.required.keys.find { |name| !header.key?(name) }
          ['missing_field', "#{header['type']}.#{key} is missing"] if key
        end

        def refusal(header, key, verdict)
          return ['missing_field', "a field inside #{header['type']}.#{key} is missing"] if verdict == :missing

          ['invalid_field', "#{header['type']}.#{key} is invalid"]
        end
        private_class_method :missing, :refusal
      end
    end
  end
end
