# frozen_string_literal: true

require_relative '../../internal/http'

module TaskerCore
  module StepHandler
    module Mixins
      # HTTP for handlers, through Faraday when the application has it, else through the standard library.
      # Configured by `url, timeout, open_timeout, headers, params, ssl, auth, pagination` of the handler's config.
      module API
        PERMANENT_STATUSES = [400, 401, 403, 404, 422].freeze
        DEFAULT_TIMEOUT_SECONDS = 30
        DEFAULT_OPEN_TIMEOUT_SECONDS = 10
        DEFAULT_PAGE_SIZE = 100

        # @return [Faraday::Connection, Internal::Http::NetConnection] made once per handler
        def connection = @connection ||= build_connection

        # Builds the connection and lets the block change it before its first use.
        # @yieldparam connection
        def configure_connection(&block) = @connection = build_connection(&block)

        # @return [Faraday::Response, Internal::Http::Response]
        # @raise [Errors::PermanentError, Errors::RetryableError] by status
        def get(path, params: {}, headers: {}) = send_request(:get, path, params: params, headers: headers)
        # @return (see #get)
        def delete(path, params: {}, headers: {}) = send_request(:delete, path, params: params, headers: headers)
        # @return (see #get)
        def post(path, data: {}, headers: {}) = send_request(:post, path, data: data, headers: headers)
        # @return (see #get)
        def put(path, data: {}, headers: {}) = send_request(:put, path, data: data, headers: headers)

        # @return the response, when its status is a success
        # @raise [Errors::PermanentError] 400, 401, 403, 404, 422; code `HTTP_<status>`
        # @raise [Errors::RetryableError] any other status
        def process_response(response)
          return response if response.success?

          status = response.status
          message = "HTTP #{status}: #{response.reason_phrase || 'failed'}"
          context = {status: status, body: response.body.to_s.scrub.slice(0, 2000)}
          if PERMANENT_STATUSES.include?(status)
            raise Errors::PermanentError.new(message, error_code: "HTTP_#{status}", context: context)
          end

          raise Errors::RetryableError.new(message, retry_after: retry_after(response), context: context)
        end

        # @return [Types::StepHandlerCallResult::Success]
        def api_success(data:, status: 200, headers: {}, execution_time_ms: nil, metadata: {})
          result = {'data' => data, 'status' => status, 'headers' => headers.to_h}
          result['execution_time_ms'] = execution_time_ms if execution_time_ms
          success(result: result, metadata: metadata.merge(api_call: true))
        end

        # @return [Types::StepHandlerCallResult::Error]
        def api_failure(message:, status: nil, error_type: nil, headers: {}, execution_time_ms: nil, metadata: {})
          about = {api_call: true, status_code: status, headers: headers.to_h, execution_time_ms: execution_time_ms,
                   retry_after: Internal::Http::RetryAfter.seconds(headers['retry-after'] || headers['Retry-After'])}.compact
          failure(message: message, error_type: error_type || error_type_of(status), error_code: status && "HTTP_#{status}",
                  retryable: !status.nil? && (status >= 500 || status == 429), metadata: about.merge(metadata))
        end

        # Sends a file as multipart/form-data.
        # @return (see #get)
        def api_upload_file(path, file_path, field_name: 'file', additional_fields: {})
          boundary = "tasker-#{SecureRandom.hex(12)}"
          body = multipart(boundary, file_path, field_name, additional_fields)
          send_request(:post, path, data: body, headers: {'Content-Type' => "multipart/form-data; boundary=#{boundary}"})
        end

        # Follows a cursor through the pages of a list.
        # @yieldparam page [Object] body of each page
        # @return [Array<Object>] bodies of all pages
        def api_paginated_request(path, method: :get, pagination_key: 'cursor', limit_key: 'limit', max_pages: 100)
          cursor = nil
          pages = []
          max_pages.times do
            query = {limit_key => api_setting(:pagination, :page_size) || DEFAULT_PAGE_SIZE, pagination_key => cursor}.compact
            body = paginated_page(method, path, query)
            yield body if block_given?
            pages << body
            cursor = body.is_a?(Hash) ? body["next_#{pagination_key}"] || body[pagination_key] : nil
            break if cursor.nil? || cursor.to_s.empty?
          end
          pages
        end

        # @return [Array<String>]
        def capabilities = super + %w[http_client error_classification retry_headers faraday_connection]

        private

        def send_request(method, path, params: {}, data: nil, headers: {})
          request = {params: params, data: data, headers: headers}
          client = connection
          response = client.is_a?(Internal::Http::NetConnection) ? client.request(method, path, **request)
                     : Internal::Http::FaradayConnection.request(client, method, path, **request)
          process_response(response)
        end

        def paginated_page(method, path, query)
          method == :get ? get(path, params: query).body : post(path, data: query).body
        end

        def build_connection(&block)
          settings = {
            url: api_setting(:url), headers: default_headers, params: (api_setting(:params) || {}).to_h,
            timeout: api_setting(:timeout) || DEFAULT_TIMEOUT_SECONDS,
            open_timeout: api_setting(:open_timeout) || DEFAULT_OPEN_TIMEOUT_SECONDS,
            ssl: IndifferentHash.wrap(api_setting(:ssl) || {}).symbolize_keys
          }
          return Internal::Http::FaradayConnection.build(**settings, &block) if Internal::Http::FaradayConnection.available?

          Internal::Http::NetConnection.new(**settings).tap { |connection| block&.call(connection) }
        end

        def default_headers
          headers = (api_setting(:headers) || {}).to_h { |key, value| [key.to_s, value.to_s] }
          case api_setting(:auth, :type).to_s
          when 'bearer' then headers['Authorization'] = "Bearer #{api_setting(:auth, :token)}"
          when 'basic'
            pair = "#{api_setting(:auth, :username)}:#{api_setting(:auth, :password)}"
            headers['Authorization'] = "Basic #{[pair].pack('m0')}"
          when 'api_key'
            headers[api_setting(:auth, :api_key_header) || 'X-API-Key'] = api_setting(:auth, :api_key).to_s
          end
          headers
        end

        def api_setting(*path)
          path.inject(config) { |level, key| level.is_a?(Hash) ? level[key] || level[key.to_s] : nil }
        end

        def retry_after(response)
          return nil unless [429, 503].include?(response.status)

          Internal::Http::RetryAfter.seconds(response.headers['retry-after'] || response.headers['Retry-After'])
        end

        def error_type_of(status)
          case status
          when 400..499 then Types::ErrorTypes::PERMANENT_ERROR
          when 500..599 then Types::ErrorTypes::RETRYABLE_ERROR
          else Types::ErrorTypes::UNEXPECTED_ERROR
          end
        end

        def multipart(boundary, file_path, field_name, fields)
          body = String.new(encoding: Encoding::BINARY)
          fields.each do |name, value|
            body << "--#{boundary}\r\nContent-Disposition: form-data; name=\"#{name}\"\r\n\r\n#{value}\r\n".b
          end
          body << "--#{boundary}\r\nContent-Disposition: form-data; name=\"#{field_name}\"; " \
                  "filename=\"#{File.basename(file_path)}\"\r\nContent-Type: application/octet-stream\r\n\r\n".b
          body << File.binread(file_path) << "\r\n--#{boundary}--\r\n".b
        end
      end
    end
  end
end
