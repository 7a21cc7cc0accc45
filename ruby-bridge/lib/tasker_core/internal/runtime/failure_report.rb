# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Turns the ways a step can fail into `error` messages.
      class FailureReport
        # @param frames [CompletionFrames]
        def initialize(frames)
          @frames = frames
        end

        # A handler returned an Error.
        # @param error [Types::StepHandlerCallResult::Error]
        def returned(delivery, error, elapsed)
          metadata = error.metadata
          @frames.failure(delivery, error, elapsed,
                          kind: kind(delivery), context: hash_or_nil(metadata[:context] || metadata['context']),
                          status_code: status_code(metadata[:status_code] || metadata['status_code']))
        end

        # What a handler raised, as a result.
        # @param exception [Exception]
        # @return [Types::StepHandlerCallResult::Error]
        def result_of(exception)
          Types::StepHandlerCallResult.failure(
            message: message(exception), error_type: Types::StepHandlerCallResult.from_exception(exception).error_type,
            error_code: ask(exception, :error_code), retryable: Errors::ErrorClassifier.retryable?(exception),
            metadata: {error_class: exception.class.name, retry_after: ask(exception, :retry_after)}.compact
          )
        end

        # A handler raised.
        # @param exception [Exception]
        def raised(delivery, exception, elapsed)
          @frames.failure(delivery, result_of(exception), elapsed,
                          kind: kind(delivery), status_code: status_code(ask(exception, :status_code)),
                          context: hash_or_nil(ask(exception, :context)),
                          backtrace: (exception.backtrace || []).first(CompletionFrames::BACKTRACE_LINES))
        end

        # @param message [String] says which handler
        def handler_not_found(delivery, message)
          built(delivery, 'handler_not_found', 0, error_type: 'handler_not_found', message: message, retryable: false)
        end

        # The handler's value cannot travel, or the step's body is not JSON.
        def invalid_result(delivery, message, elapsed)
          built(delivery, 'invalid_result', elapsed, error_type: 'invalid_result', error_code: 'INVALID_RESULT',
                                                     message: message, retryable: false)
        end

        def cancelled_before_start(delivery)
          built(delivery, kind(delivery), 0, error_type: Types::ErrorTypes::RETRYABLE_ERROR, error_code: 'CANCELLED',
                                             message: "cancelled before it started: #{delivery.cancellation.reason}",
                                             retryable: true)
        end

        def thread_ended(delivery)
          built(delivery, 'panic', 0, error_type: Types::ErrorTypes::UNEXPECTED_ERROR, error_code: 'THREAD_ENDED',
                                      message: "#{delivery.callable} ended the thread it ran in", retryable: true)
        end

        private

        def built(delivery, kind, elapsed, **error)
          @frames.failure(delivery, Types::StepHandlerCallResult.failure(**error), elapsed, kind: kind)
        end

        # A handler that fails after a cancel has most likely stopped because of it.
        def kind(delivery)
          return 'handler' unless delivery.cancelled?

          delivery.cancellation.reason == 'timeout' ? 'timeout' : 'cancelled'
        end

        # User code may have written these methods.
        def ask(exception, name)
          exception.public_send(name) if exception.respond_to?(name)
        rescue StandardError
          nil
        end

        def message(exception)
          text = ask(exception, :message).to_s
          text.empty? ? exception.class.name.to_s : text
        end

        def hash_or_nil(value) = value.is_a?(Hash) ? value : nil
        def status_code(value) = value.is_a?(Integer) && value.between?(0, 65_535) ? value : nil
      end
    end
  end
end
