# frozen_string_literal: true

require_relative 'step_handler_call_result/success'
require_relative 'step_handler_call_result/error'
require_relative 'step_handler_call_result/checkpoint_yield'

module TaskerCore
  module Types
    # What a handler returns, and the ways to make one.
    module StepHandlerCallResult
      # Lines of a backtrace kept in a failure's metadata.
      STACK_LINES = 10

      class << self
        # @param result [Object] any JSON value
        # @return [Success]
        def success(result:, metadata: {}) = Success.new(result: result, metadata: metadata)

        # @param error_type [String] one of {ErrorTypes::ALL}
        # @return [Error]
        # @raise [ArgumentError] for another error_type
        def error(error_type:, message:, error_code: nil, retryable: false, metadata: {})
          unless ErrorTypes.valid?(error_type)
            raise ArgumentError, "error_type must be one of #{ErrorTypes::ALL.join(', ')}, got #{error_type.inspect}"
          end

          Error.new(error_type: error_type, message: message, error_code: error_code, retryable: retryable,
                    metadata: metadata)
        end

        # Like {error}, with any error_type; `error_message:` is another name of `message:`.
        # @return [Error]
        def failure(message: nil, error_message: nil, error_type: ErrorTypes::UNEXPECTED_ERROR, error_code: nil,
                    retryable: false, metadata: {})
          Error.new(error_type: error_type.to_s, message: message || error_message || 'Unknown error',
                    error_code: error_code, retryable: retryable, metadata: metadata)
        end

        # @return [CheckpointYield]
        def checkpoint_yield(cursor:, items_processed:, accumulated_results: nil)
          CheckpointYield.new(cursor: cursor, items_processed: items_processed, accumulated_results: accumulated_results)
        end

        # @param output [Object] whatever a handler returned
        # @return [Success, Error, CheckpointYield]
        def from_handler_output(output)
          case output
          when Success, Error, CheckpointYield then output
          when Hash then from_hash(output)
          else Success.new(result: output, metadata: {wrapped: true, original_type: output.class.name})
          end
        end

        # @param exception [Exception]
        # @return [Error]
        def from_exception(exception)
          case exception
          when Errors::PermanentError
            Error.new(error_type: ErrorTypes::PERMANENT_ERROR, message: exception.message,
                      error_code: exception.error_code, retryable: false, metadata: {context: exception.context})
          when Errors::RetryableError
            Error.new(error_type: ErrorTypes::RETRYABLE_ERROR, message: exception.message, retryable: true,
                      metadata: {context: exception.context, retry_after: exception.retry_after})
          else
            retryable = !(exception.respond_to?(:retryable?) && exception.retryable? == false)
            Error.new(error_type: ErrorTypes::UNEXPECTED_ERROR, message: exception.message, retryable: retryable,
                      metadata: {exception_class: exception.class.name,
                                 stack_trace: (exception.backtrace || []).first(STACK_LINES)})
          end
        end

        private

        def from_hash(output)
          case value(output, :success)
          when true
            result = value(output, :result)
            Success.new(result: result.nil? ? output : result, metadata: value(output, :metadata) || {})
          when false
            failure(message: value(output, :message) || value(output, :error),
                    error_type: value(output, :error_type) || ErrorTypes::UNEXPECTED_ERROR,
                    error_code: value(output, :error_code), retryable: value(output, :retryable) || false,
                    metadata: value(output, :metadata) || {})
          else
            Success.new(result: output, metadata: {wrapped: true, original_type: 'Hash'})
          end
        end

        def value(hash, key) = hash.fetch(key) { hash[key.to_s] }
      end
    end
  end
end
