# frozen_string_literal: true

module TaskerCore
  module Types
    # Names of the ways a step can fail.
    module ErrorTypes
      PERMANENT_ERROR = 'PermanentError'
      RETRYABLE_ERROR = 'RetryableError'
      VALIDATION_ERROR = 'ValidationError'
      UNEXPECTED_ERROR = 'UnexpectedError'
      STEP_COMPLETION_ERROR = 'StepCompletionError'

      ALL = [PERMANENT_ERROR, RETRYABLE_ERROR, VALIDATION_ERROR, UNEXPECTED_ERROR, STEP_COMPLETION_ERROR].freeze

      module_function

      # @return [Boolean]
      def valid?(name) = ALL.include?(name)
      # @return [Boolean]
      def typically_retryable?(name) = [RETRYABLE_ERROR, UNEXPECTED_ERROR].include?(name)
      # @return [Boolean]
      def typically_permanent?(name) = [PERMANENT_ERROR, VALIDATION_ERROR].include?(name)
    end
  end
end
