# frozen_string_literal: true

require_relative '../../internal/response_object'

module TaskerCore
  module Types
    # Whether the server serves.
    class ClientHealthResponse
      include Internal::ResponseObject

      attributes :status, :timestamp

      def healthy? = status == 'healthy'

      # Programs written for a client that answered `{"healthy": true}` look there.
      def [](name) = name.to_s == 'healthy' ? healthy? : super
    end
  end
end
