# frozen_string_literal: true

require_relative 'permanent_error'

module TaskerCore
  module Errors
    # What the step needs does not exist.
    class NotFoundError < PermanentError
      # @return [String, nil] what kind of thing is missing
      attr_reader :resource_type

      def initialize(message = nil, resource_type: nil, error_code: nil, context: {})
        super(message, error_code: error_code, context: context)
        @resource_type = resource_type
      end
    end
  end
end
