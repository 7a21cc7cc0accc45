# frozen_string_literal: true

require_relative 'procedural_error'

module TaskerCore
  module Errors
    # A remote service could not be reached or answered badly; another attempt may succeed.
    class NetworkError < ProceduralError
      # @return [Integer, nil] HTTP status, when there was an answer
      attr_reader :status_code
      # @return [Hash]
      attr_reader :context

      def initialize(message = nil, status_code: nil, context: {})
        super(message)
        @status_code = status_code
        @context = context
      end
    end
  end
end
