# frozen_string_literal: true

require_relative 'procedural_error'

module TaskerCore
  module Errors
    # The step failed and no further attempt can succeed.
    class PermanentError < ProceduralError
      # @return [String, nil] the handler's own code
      attr_reader :error_code
      # @return [Hash] details for the stored failure
      attr_reader :context

      def initialize(message = nil, error_code: nil, context: {})
        super(message)
        @error_code = error_code
        @context = context
      end
    end
  end
end
