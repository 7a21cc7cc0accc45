# frozen_string_literal: true

require 'net/http'
require 'openssl'
require 'uri'

module TaskerCore
  module Internal
    module Http
      # HTTP by the standard library, for applications without Faraday. One connection per request: a handler lives
      # for one step and seldom sends a second one.
      class NetConnection
        # @return [Hash] sent with every request; may be changed
        attr_reader :headers
        # @return [Hash] query parameters of every request; may be changed
        attr_reader :params

        # @param timeout [Numeric, nil] seconds for reading and writing
        # @param open_timeout [Numeric, nil] seconds for connecting
        # @param ssl [Hash] `verify`, `ca_file`
        def initialize(url:, headers: {}, params: {}, timeout: nil, open_timeout: nil, ssl: {})
          @url = url.to_s
          @headers = headers
          @params = params
          @timeout = timeout
          @open_timeout = open_timeout
          @ssl = ssl
        end

        # @param data [Object, nil] a String is sent as it is, anything else as JSON
        # @return [Response]
        # @raise [Errors::NetworkError, Errors::TimeoutError]
        def request(method, path, params: {}, data: nil, headers: {})
          uri = uri(path, params)
          message = Net::HTTP.const_get(method.to_s.capitalize).new(uri, text(@headers).merge(text(headers)))
          fill(message, data) unless data.nil?
          response(http(uri).start { |connection| connection.request(message) })
        rescue Timeout::Error => e
          raise Errors::TimeoutError.new("#{method.to_s.upcase} #{uri} took too long: #{e.message}", timeout_duration: @timeout)
        rescue SystemCallError, SocketError, OpenSSL::SSL::SSLError, EOFError => e
          raise Errors::NetworkError, "#{method.to_s.upcase} #{uri} failed: #{e.message}"
        end

        private

        def uri(path, params)
          uri = path.to_s.match?(%r{\Ahttps?://}) ? URI(path.to_s) : URI("#{@url.chomp('/')}/#{path.to_s.delete_prefix('/')}")
          all = text(@params).merge(text(params))
          unless all.empty?
            uri.query = [uri.query, URI.encode_www_form(all)].compact.join('&')
          end
          uri
        end

        def http(uri)
          http = Net::HTTP.new(uri.host, uri.port)
          http.read_timeout = http.write_timeout = @timeout if @timeout
          http.open_timeout = @open_timeout if @open_timeout
          if uri.scheme == 'https'
            http.use_ssl = true
            http.verify_mode = OpenSSL::SSL::VERIFY_NONE if @ssl[:verify] == false
            http.ca_file = @ssl[:ca_file] if @ssl[:ca_file]
          end
          http
        end

        def fill(message, data)
          message['Content-Type'] ||= 'application/json' unless data.is_a?(String)
          message.body = data.is_a?(String) ? data : Json.generate(data)
        end

        def response(answer)
          body = answer.body.to_s
          body = JSON.parse(body) if answer['content-type'].to_s.match?(/\bjson\b/) && !body.empty?
          Response.new(status: answer.code.to_i, headers: answer.each_header.to_h, body: body, reason_phrase: answer.message)
        rescue JSON::ParserError
          Response.new(status: answer.code.to_i, headers: answer.each_header.to_h, body: answer.body, reason_phrase: answer.message)
        end

        def text(hash) = hash.to_h { |key, value| [key.to_s, value.to_s] }
      end
    end
  end
end
