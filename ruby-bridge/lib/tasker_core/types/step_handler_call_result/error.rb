# frozen_string_literal: true

module TaskerCore
  module Types
    module StepHandlerCallResult
      # The step failed.
      class Error
        # @return [String]
        attr_reader :error_type
        # @return [String] for people
        attr_reader :message
        # @return [String, nil] the handler's own code
        attr_reader :error_code
        # @return [Boolean] another attempt may help
        attr_reader :retryable
        # @return [Hash]
        attr_reader :metadata

        def initialize(error_type:, message:, error_code: nil, retryable: false, metadata: {}, success: false)
          raise ArgumentError, 'an Error cannot have success: true' if success

          @error_type = error_type
          @message = message.to_s
          @error_code = error_code
          @retryable = retryable
          @metadata = metadata || {}
        end

        def success = false
        def success? = false
        def checkpoint? = false

        def to_h
          {success: false, error_type: error_type, message: message, error_code: error_code, retryable: retryable,
           metadata: metadata}
        end
      end
    end
  end
end
