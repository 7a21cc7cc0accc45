# frozen_string_literal: true

require_relative 'procedural_error'

module TaskerCore
  module Errors
    # Something took too long; another attempt may succeed.
    class TimeoutError < ProceduralError
      # @return [Numeric, nil] the limit, seconds
      attr_reader :timeout_duration
      # @return [Hash]
      attr_reader :context

      def initialize(message = nil, timeout_duration: nil, context: {})
        super(message)
        @timeout_duration = timeout_duration
        @context = context
      end
    end
  end
end
