# frozen_string_literal: true

module TaskerCore
  module Internal
    module Http
      # Builds a Faraday connection and sends requests through it.
      module FaradayConnection
        # The first with JSON requests and responses of its own.
        OLDEST = '1.10'

        module_function

        # @return [Boolean] whether the application has a Faraday that is new enough
        def available?
          require 'faraday'
          Gem::Version.new(::Faraday::VERSION) >= Gem::Version.new(OLDEST)
        rescue LoadError
          false
        end

        def build(url:, headers:, params:, timeout:, open_timeout:, ssl:)
          ::Faraday.new(url: url, headers: headers, params: params, ssl: ssl) do |connection|
            connection.options.timeout = timeout if timeout
            connection.options.open_timeout = open_timeout if open_timeout
            connection.request :json
            connection.response :json
            yield connection if block_given?
            connection.adapter ::Faraday.default_adapter
          end
        end

        def request(connection, method, path, params:, data:, headers:)
          connection.public_send(method, path) do |request|
            request.params.update(params) unless params.empty?
            request.headers.update(headers) unless headers.empty?
            request.body = data unless data.nil?
          end
        rescue ::Faraday::TimeoutError => e
          raise Errors::TimeoutError, "#{method.to_s.upcase} #{path} took too long: #{e.message}"
        rescue ::Faraday::ConnectionFailed, ::Faraday::SSLError => e
          raise Errors::NetworkError, "#{method.to_s.upcase} #{path} failed: #{e.message}"
        end
      end
    end
  end
end
