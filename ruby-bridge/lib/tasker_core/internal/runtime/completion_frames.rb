# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # The terminal messages: what became of a delivery, as a frame. Raises {Json::InvalidValue} for a value that
      # JSON cannot carry and returns a failure's frame instead of one over `max_frame`.
      class CompletionFrames
        BACKTRACE_LINES = 50
        DECISION_KEY = 'decision_point_outcome'
        BATCH_KEY = 'batch_processing_outcome'
        OUTCOME_ENDING = '_outcome":'

        # @param max_frame [Integer] limit on a frame's `length`, bytes
        def initialize(max_frame)
          @max_frame = max_frame
        end

        # @param result [Types::StepHandlerCallResult::Success]
        def success(delivery, result, milliseconds)
          body = Json.generate(result.result)
          split = body.bytesize
          body << '{"metadata":' << metadata_text(result.metadata) << '}' unless result.metadata.empty?
          header = %({"type":"result","delivery_id":#{delivery.id_text},"execution_ms":#{milliseconds},) +
                   %("outcome":"#{outcome(result.result, body)}","split":#{split}})
          bounded(delivery, Protocol::Frame.encode_text(header, body), milliseconds)
        end

        # @param yielded [Types::StepHandlerCallResult::CheckpointYield]
        def checkpoint(delivery, yielded, milliseconds)
          header = {'type' => 'checkpoint', 'delivery_id' => delivery.id, 'seq' => 0,
                    'items_processed' => yielded.items_processed, 'yield' => true}
          body = Json.generate({'cursor' => yielded.cursor, 'accumulated_results' => yielded.accumulated_results})
          bounded(delivery, Protocol::Frame.encode(header, body), milliseconds)
        end

        # @param error [Types::StepHandlerCallResult::Error]
        # @param detail [Hash] further parts of the body: `context`, `backtrace`
        def failure(delivery, error, milliseconds, kind: 'handler', status_code: nil, **detail)
          header = {
            'type' => 'error', 'delivery_id' => delivery.id, 'execution_ms' => milliseconds,
            'error_type' => text(error.error_type), 'code' => (text(error.error_code) if error.error_code),
            'message' => text(error.message), 'retryable' => error.retryable ? true : false,
            'retry_after_ms' => retry_after_ms(error.metadata), 'status_code' => status_code, 'kind' => kind, 'split' => 0
          }.compact
          body = {'metadata' => error.metadata, **detail.transform_keys(&:to_s)}.reject { |_, part| part.nil? || part.empty? }
          frame = Protocol::Frame.encode(header, (Json.generate_lenient(body) unless body.empty?))
          # The failure itself matters more than its details.
          fits?(frame) ? frame : Protocol::Frame.encode(header)
        end

        private

        # Searching the text first spares ordinary results four look-ups.
        def outcome(value, text)
          return 'success' unless value.is_a?(Hash) && text.include?(OUTCOME_ENDING)
          return 'decision' if value.key?(DECISION_KEY) || value.key?(DECISION_KEY.to_sym)
          return 'batch_plan' if value.key?(BATCH_KEY) || value.key?(BATCH_KEY.to_sym)

          'success'
        end

        def metadata_text(metadata)
          Json.generate(metadata)
        rescue Json::InvalidValue => e
          raise Json::InvalidValue.new(e.path.sub(/\Aresult/, 'metadata'), e.message.split(': ', 2).last)
        end

        def bounded(delivery, frame, milliseconds)
          return frame if fits?(frame)

          error = Types::StepHandlerCallResult.failure(
            error_type: Types::ErrorTypes::PERMANENT_ERROR, error_code: 'PAYLOAD_TOO_LARGE',
            message: "#{delivery.callable} returned #{frame.bytesize} bytes, more than the limit of #{@max_frame}; " \
                     'store large data elsewhere and return a reference to it'
          )
          failure(delivery, error, milliseconds, kind: 'payload_too_large')
        end

        def fits?(frame) = frame.bytesize - 4 <= @max_frame

        def retry_after_ms(metadata)
          seconds = metadata[:retry_after] || metadata['retry_after']
          (seconds * 1000).round if (seconds.is_a?(Integer) || seconds.is_a?(Float)) && seconds >= 0 && seconds.finite?
        end

        def text(value)
          value = value.to_s
          value = value.encode(Encoding::UTF_8, invalid: :replace, undef: :replace) unless value.encoding == Encoding::UTF_8
          value.byteslice(0, Protocol::Messages::MAX_MESSAGE_BYTES).scrub('').delete("\0")
        end
      end
    end
  end
end
