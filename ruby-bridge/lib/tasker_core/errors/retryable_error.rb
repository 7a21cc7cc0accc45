# frozen_string_literal: true

require_relative 'procedural_error'

module TaskerCore
  module Errors
    # The step failed and another attempt may succeed.
    class RetryableError < ProceduralError
      # @return [Numeric, nil] seconds to wait before the next attempt, as a server asked for
      attr_reader :retry_after
      # @return [Hash] details for the stored failure
      attr_reader :context

      def initialize(message = nil, retry_after: nil, context: {})
        super(message)
        @retry_after = retry_after
        @context = context
      end
    end
  end
end
