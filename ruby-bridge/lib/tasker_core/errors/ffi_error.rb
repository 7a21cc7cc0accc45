# frozen_string_literal: true

require_relative 'error'

module TaskerCore
  module Errors
    # A call across a language boundary failed. Never retried by itself.
    class FFIError < Error
      # @return [String, nil] name of the call
      attr_reader :operation
      # @return [Hash]
      attr_reader :context

      def initialize(message = nil, operation: nil, context: {})
        super(message)
        @operation = operation
        @context = context
      end
    end
  end
end
