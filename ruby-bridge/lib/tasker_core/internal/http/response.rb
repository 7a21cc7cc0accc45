# frozen_string_literal: true

module TaskerCore
  module Internal
    module Http
      # The members of a Faraday response that handlers use.
      class Response
        # @return [Integer]
        attr_reader :status
        # @return [Hash{String => String}] names in lower case
        attr_reader :headers
        # @return [Object, String] parsed when the server said it is JSON
        attr_reader :body
        # @return [String, nil]
        attr_reader :reason_phrase

        def initialize(status:, headers:, body:, reason_phrase: nil)
          @status = status
          @headers = headers
          @body = body
          @reason_phrase = reason_phrase
        end

        def success? = status.between?(200, 299)
      end
    end
  end
end
