# frozen_string_literal: true

require_relative '../http'

module TaskerCore
  module Internal
    module Client
      # Requests to one server's REST API, and what its refusals mean.
      class RestClient
        # Pauses before a task is created again; nothing else is repeated.
        CREATE_PAUSES_SECONDS = [2, 4].freeze

        # @param settings [Settings]
        # @param pause [#call] sleeps
        def initialize(settings, pause: ->(seconds) { sleep(seconds) })
          @settings = settings
          @pause = pause
          @connection = Http::NetConnection.new(url: settings.base_url, headers: settings.headers,
                                                timeout: settings.timeout_seconds, open_timeout: settings.timeout_seconds)
        end

        # @param query [Hash] nil values are left out
        # @param accept [Array<Integer>] further statuses whose body is an answer
        # @return [Object] the parsed body
        # @raise [Errors::NetworkError, Errors::TimeoutError] when there is no answer
        # @raise [Errors::NotFoundError, Errors::ValidationError, Errors::PermanentError, Errors::RetryableError,
        #   Errors::ServerError] by status
        def get(path, query = {}, accept: []) = answer(:get, path, params: query.compact, accept: accept)

        # @return (see #get)
        def delete(path) = answer(:delete, path)

        # @return (see #get)
        def post(path, data) = answer(:post, path, data: data)

        # Like {#post}, repeated after a network error or a 5xx: the only request that is safe to repeat, because the
        # server refuses a second task of the same identity.
        def post_again(path, data)
          pauses = CREATE_PAUSES_SECONDS.first([@settings.max_retries - 1, 0].max)
          begin
            post(path, data)
          rescue Errors::NetworkError, Errors::TimeoutError, Errors::ServerError, Errors::RetryableError
            pause = pauses.first or raise
            pauses = pauses.drop(1)
            @pause.call(pause)
            retry
          end
        end

        private

        def answer(method, path, accept: [], **request)
          response = @connection.request(method, path, **request)
          return response.body if response.success? || accept.include?(response.status)

          raise refusal("#{method.to_s.upcase} #{path}", response)
        end

        def refusal(operation, response)
          status = response.status
          code, text = described(response)
          message = "#{operation} was answered with #{status}: #{text}"
          context = {status_code: status, code: code, operation: operation}
          case status
          when 404 then Errors::NotFoundError.new(message, error_code: code, context: context)
          when 400, 415, 422 then Errors::ValidationError.new(message, error_code: code, context: context)
          when 429, 503 then Errors::RetryableError.new(message, retry_after: retry_after(response), context: context)
          when 400..499 then Errors::PermanentError.new(message, error_code: code, context: context)
          else Errors::ServerError.new(message, operation: operation, context: context)
          end
        end

        # The orchestration nests its errors, the worker does not.
        def described(response)
          body = response.body
          error = body.is_a?(Hash) ? body['error'] : nil
          return [error['code'], error['message']] if error.is_a?(Hash)

          [error, body.is_a?(Hash) ? body['message'] : body.to_s.scrub.slice(0, 500)]
        end

        def retry_after(response) = Http::RetryAfter.seconds(response.headers['retry-after'])
      end
    end
  end
end
