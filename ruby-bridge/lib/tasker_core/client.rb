# frozen_string_literal: true

require 'uri'
require_relative 'internal/client/settings'

module TaskerCore
  module Internal
    # The parts of {TaskerCore::Client}.
    module Client
      autoload :RestClient, File.expand_path('internal/client/rest_client', __dir__)
      autoload :TaskPages, File.expand_path('internal/client/task_pages', __dir__)
    end
  end

  # Tasks of a Tasker server, over its REST API. The server and the credentials come from the client configuration
  # (`tasker-client.toml`) and from `TASKER_ORCHESTRATION_URL`, `TASKER_AUTH_TOKEN`, `TASKER_API_KEY`, ....
  #
  # Every method raises {Errors::NetworkError} or {Errors::TimeoutError} without an answer, {Errors::NotFoundError},
  # {Errors::ValidationError}, {Errors::PermanentError} (also for a task that exists already), {Errors::RetryableError}
  # or {Errors::ServerError} for a refusal.
  module Client
    module_function

    # @param context [Hash] the task's input
    # @param options [Hash] `tags`, `priority`, `correlation_id`, `parent_correlation_id`, `idempotency_key`, `options`
    # @return [Types::ClientTaskResponse]
    # @raise [ArgumentError] for an option that does not exist
    def create_task(name:, namespace: 'default', context: {}, version: '1.0.0', initiator: 'tasker-core-ruby',
                    source_system: 'tasker-core', reason: 'Task requested', **options)
      unknown = options.keys - %i[tags priority correlation_id parent_correlation_id idempotency_key options requested_at]
      raise ArgumentError, "create_task has no option #{unknown.join(', ')}" unless unknown.empty?

      request = Types::TaskRequest.new(name: name, namespace: namespace, version: version, context: context, initiator: initiator,
                                       source_system: source_system, reason: reason)
      body = request.to_ffi_hash.merge(priority: nil, **options.compact)
      Types::ClientTaskResponse.from_response(orchestration.post_again('/v1/tasks', body))
    end

    # @return [Types::ClientTaskResponse]
    def get_task(uuid) = Types::ClientTaskResponse.from_response(orchestration.get(path(uuid)))

    # @param limit [Integer]
    # @param offset [Integer] tasks to pass over, newest first
    # @return [Types::ClientTaskListResponse]
    def list_tasks(limit: 50, offset: 0, namespace: nil, status: nil)
      raise ArgumentError, "limit must be positive, got #{limit.inspect}" unless limit.is_a?(Integer) && limit.positive?
      raise ArgumentError, "offset must not be negative, got #{offset.inspect}" unless offset.is_a?(Integer) && !offset.negative?

      pages = Internal::Client::TaskPages.new(orchestration, {namespace: namespace, status: status})
      Types::ClientTaskListResponse.from_response(pages.read(limit, offset))
    end

    # @return [IndifferentHash] `cancelled` and `task_uuid`
    def cancel_task(uuid)
      orchestration.delete(path(uuid))
      IndifferentHash.wrap({'cancelled' => true, 'task_uuid' => uuid})
    end

    # @return [Array<Types::ClientStepResponse>]
    def list_task_steps(uuid) = orchestration.get("#{path(uuid)}/workflow_steps").map { |step| Types::ClientStepResponse.from_response(step) }

    # @return [Types::ClientStepResponse]
    def get_step(task, step) = Types::ClientStepResponse.from_response(orchestration.get("#{path(task)}/workflow_steps/#{segment(step)}"))

    # @return [Array<Types::ClientStepAuditResponse>] newest first
    def get_step_audit_history(task, step)
      orchestration.get("#{path(task)}/workflow_steps/#{segment(step)}/audit").map { |entry| Types::ClientStepAuditResponse.from_response(entry) }
    end

    # @return [Types::ClientHealthResponse]
    def health_check = Types::ClientHealthResponse.from_response(orchestration.get('/health'))

    # Reads the configuration every time: it costs less than the request, and tests change it.
    # @api private
    def orchestration = Internal::Client::RestClient.new(Internal::Client::SettingsReader.new.read('orchestration'))

    # @api private
    def path(uuid) = "/v1/tasks/#{segment(uuid)}"

    # @api private
    def segment(text) = URI.encode_www_form_component(text.to_s)
    private_class_method :orchestration, :path, :segment
  end
end
