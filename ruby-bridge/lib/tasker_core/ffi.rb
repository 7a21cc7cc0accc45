# frozen_string_literal: true

module TaskerCore
  # The functions of the reference's native library, over the bridge and the REST API. A program that starts its worker
  # here polls for steps and submits their completions itself; {Worker::Bootstrap} is the easier way.
  module FFI
    module_function

    # Joins or starts a host, as {Worker::Bootstrap} does, without running steps: they wait for {poll_step_events}.
    # @param config [Hash, nil] `slots`, `pool`
    # @return [Hash] `success, status, handle_id, worker_id, message`
    # @raise [Errors::ConfigurationError, Errors::TimeoutError]
    def bootstrap_worker(config = nil)
      settings = IndifferentHash.wrap(config || {})
      return bootstrap_answer('already_running', false) if Internal::Session.running?

      @events ||= Internal::PolledEvents.new # before the handshake, which says who listens
      Internal::Session.open(slots: settings['slots'], pool: settings['pool'], polled: true)
      bootstrap_answer('started', true)
    end

    # Gives back what runs, and ends the connection.
    # @return [String]
    def stop_worker
      return 'not running' unless Internal::Session.running?

      Internal::Session.close('stop_worker', grace_ms: 0)
      'stopped'
    end

    # Takes nothing more and finishes what runs.
    # @return [String]
    def transition_to_graceful_shutdown
      return 'not running' unless Internal::Session.running?

      Internal::Session.process.stop('graceful shutdown')
      'shutting down'
    end

    # @return [Hash]
    def worker_status
      process = Internal::Session.process
      {'running' => Internal::Session.running?, 'environment' => ENV['TASKER_ENV'] || 'development',
       'worker_core_status' => Internal::Session.running? ? 'running' : 'stopped', 'connection_id' => process&.connection_id,
       'steps_in_progress' => process ? process.ledger.running_count : 0,
       'steps_processed' => process ? process.counts.answered_count : 0}
    end

    # Never waits.
    # @return [Hash, nil] the contract's step event, String keys
    def poll_step_events = polled_steps&.poll

    # @param completion [Hash] the contract's completion
    # @return [Boolean] false for an unknown or answered event
    def complete_step_event(event_id, completion) = polled_steps&.complete(event_id, completion) || false

    # @param checkpoint [Hash] `cursor, items_processed, accumulated_results`
    # @return [Boolean] false for an unknown or answered event
    def checkpoint_yield_step_event(event_id, checkpoint) = polled_steps&.checkpoint(event_id, checkpoint) || false

    # @return [Hash] `pending_count, oldest_pending_age_ms, newest_pending_age_ms, oldest_event_id, starvation_detected,
    #   starving_event_count`
    def get_ffi_dispatch_metrics
      polled_steps&.metrics || {'pending_count' => 0, 'oldest_pending_age_ms' => nil, 'newest_pending_age_ms' => nil,
                                'oldest_event_id' => nil, 'starvation_detected' => false, 'starving_event_count' => 0}
    end

    # Logs when steps have waited too long for their poll.
    # @return [void]
    def check_starvation_warnings
      metrics = get_ffi_dispatch_metrics
      return unless metrics['starvation_detected']

      Tracing.warn('steps wait for their poll', {'count' => metrics['starving_event_count'], 'oldest_ms' => metrics['oldest_pending_age_ms']})
    end

    # Forgets steps that the host has cancelled or timed out.
    # @return [Integer] how many
    def cleanup_timeouts = polled_steps&.forget_cancelled || 0

    # `log_info(message, fields)` and the same for error, warn, debug and trace.
    def log_error(message, fields = {}) = Tracing.error(message, fields || {})
    def log_warn(message, fields = {}) = Tracing.warn(message, fields || {})
    def log_info(message, fields = {}) = Tracing.info(message, fields || {})
    def log_debug(message, fields = {}) = Tracing.debug(message, fields || {})
    def log_trace(message, fields = {}) = Tracing.trace(message, fields || {})

    # Publishes an event of the running step.
    # @param event [Hash] `event_name, payload`, and `event_id` (default: the step that this thread runs), `event_version`,
    #   `on` (`success`, `failure` or `always`)
    # @return [Boolean] false without a worker or a running step
    # @raise [ArgumentError] without a name
    def publish_domain_event(event)
      fields = IndifferentHash.wrap(event)
      name = fields['event_name'] || fields['name']
      raise ArgumentError, 'a domain event needs event_name' if name.to_s.empty?

      delivery = fields['event_id'] || Thread.current[:tasker_delivery_id]
      return false unless delivery && Internal::Session.running?

      header = {'type' => 'event', 'delivery_id' => delivery, 'name' => name.to_s,
                'version' => (fields['event_version'] || '1.0').to_s, 'on' => fields['on'] || 'always'}
      Internal::Session.process.send_message(header, Internal::Json.generate(fields['payload'] || fields['business_payload'] || {}))
      true
    end

    # Domain events since the last call, for a worker that was started here. Never waits.
    # @param max [Integer]
    # @return [Array<IndifferentHash>]
    def poll_in_process_events(max = 10) = @events ? @events.poll(max) : []

    # @return [Hash] `pending, received, dropped`
    def in_process_event_stats = @events ? @events.stats : {'pending' => 0, 'received' => 0, 'dropped' => 0}

    # @param request [Hash] keywords of {Client.create_task}
    # @return [Hash]
    def client_create_task(request) = plain(Client.create_task(**request.to_h.transform_keys(&:to_sym)))
    def client_get_task(uuid) = plain(Client.get_task(uuid))

    def client_list_tasks(limit = 50, offset = 0, namespace = nil, status = nil)
      plain(Client.list_tasks(limit: limit, offset: offset, namespace: namespace, status: status))
    end

    def client_cancel_task(uuid) = plain(Client.cancel_task(uuid))
    def client_list_task_steps(uuid) = Client.list_task_steps(uuid).map { |step| plain(step) }
    def client_get_step(task, step) = plain(Client.get_step(task, step))
    def client_get_step_audit_history(task, step) = Client.get_step_audit_history(task, step).map { |entry| plain(entry) }
    def client_health_check = {'healthy' => Client.health_check['healthy'] == true}

    # Answers of the worker's REST API, as hashes; see {Observability}.
    def health_basic = worker.get('/health')
    def health_live = worker.get('/health/live')
    def health_ready = worker.get('/health/ready', accept: [503])
    def health_detailed = worker.get('/health/detailed', accept: [503])
    def metrics_worker = worker.get('/metrics/worker')
    def metrics_events = worker.get('/metrics/events')
    def metrics_prometheus = worker.get('/metrics')
    def templates_list(include_cache_stats = false) = worker.get('/v1/templates', {include_cache_stats: include_cache_stats})
    def templates_cache_stats = templates_list(true)['cache_stats']
    def template_get(namespace, name, version) = worker.get(template_path(namespace, name, version))
    def template_validate(namespace, name, version) = worker.post("#{template_path(namespace, name, version)}/validate", {})
    def config_runtime = worker.get('/config')
    def config_environment = config_runtime.dig('metadata', 'environment')

    # @api private
    def polled_steps = Internal::Session.process&.steps

    # @api private
    def bootstrap_answer(status, success)
      id = Internal::Session.process.connection_id
      {'success' => success, 'status' => status, 'handle_id' => id, 'worker_id' => "ruby-#{Process.pid}",
       'message' => "Ruby worker #{status.tr('_', ' ')}"}
    end

    # @api private
    def worker = Internal::Client::RestClient.new(Internal::Client::SettingsReader.new.read('worker'))

    # @api private
    def template_path(*parts) = "/v1/templates/#{parts.map { |part| URI.encode_www_form_component(part.to_s) }.join('/')}"

    # @api private
    def plain(value) = Internal::Plain.deep(value)
    private_class_method :polled_steps, :bootstrap_answer, :worker, :template_path, :plain
  end
end
