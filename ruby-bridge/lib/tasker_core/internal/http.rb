# frozen_string_literal: true

require_relative 'http/response'
require_relative 'http/faraday_connection'
require_relative 'http/retry_after'

module TaskerCore
  module Internal
    # HTTP for the API mixin.
    module Http
      # net/http and openssl take longer to load than all of this gem; most handler processes need neither.
      autoload :NetConnection, File.expand_path('http/net_connection', __dir__)
    end
  end
end
