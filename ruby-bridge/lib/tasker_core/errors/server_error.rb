# frozen_string_literal: true

require_relative 'error'

module TaskerCore
  module Errors
    # The Tasker server answered with an error.
    class ServerError < Error
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
