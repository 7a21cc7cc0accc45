# frozen_string_literal: true

module Tasker
  # The step failed and is tried again.
  class RetryableError < TaskerCore::Errors::RetryableError
    # @param delay [Numeric, #to_f, nil] seconds until the next attempt, as a server asked for
    def initialize(message = nil, delay: nil, retry_after: nil, context: {})
      seconds = delay.nil? ? retry_after : delay
      super(message, retry_after: seconds&.to_f, context: context)
    end

    # @return [Float, nil] seconds
    def delay = retry_after
  end

  # The step failed and is never tried again.
  class PermanentError < TaskerCore::Errors::PermanentError; end
end
