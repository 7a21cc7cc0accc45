# frozen_string_literal: true

require_relative 'permanent_error'

module TaskerCore
  module Errors
    # The step's input is wrong, so no further attempt can succeed.
    class ValidationError < PermanentError
      # @return [String, Symbol, nil] the field that is wrong
      attr_reader :field

      def initialize(message = nil, field: nil, error_code: nil, context: {})
        super(message, error_code: error_code, context: context)
        @field = field
      end
    end
  end
end
