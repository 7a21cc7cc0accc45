# frozen_string_literal: true

require 'json'
require 'socket'
require 'uri'

# A real HTTP server on the loopback interface that answers with the shapes of the REST contract: tasks live in memory,
# refusals are prepared by the test. Stands in until a whole Tasker server can be started from Ruby's tests.
class RestServer
  Request = Struct.new(:method, :path, :query, :headers, :body)
  STEP = {'step_uuid' => 's-1', 'task_uuid' => 't-1', 'name' => 'charge', 'created_at' => '2026-01-02T03:04:05.678901Z',
          'updated_at' => '2026-01-02T03:04:05.678901Z', 'completed_at' => nil, 'results' => nil, 'current_state' => 'pending',
          'dependencies_satisfied' => true, 'retry_eligible' => true, 'ready_for_execution' => true, 'total_parents' => 0,
          'completed_parents' => 0, 'attempts' => 0, 'max_attempts' => 3, 'last_failure_at' => nil, 'next_retry_at' => nil,
          'last_attempted_at' => nil}.freeze
  AUDIT = {'audit_uuid' => 'a-1', 'workflow_step_uuid' => 's-1', 'transition_uuid' => 'x-1', 'task_uuid' => 't-1',
           'recorded_at' => '2026-01-02T03:04:05.678901Z', 'success' => true, 'step_name' => 'charge',
           'to_state' => 'enqueued_for_orchestration'}.freeze
  TIME = '2026-01-02T03:04:05.678901Z'

  attr_reader :requests, :tasks, :refusals

  # Runs one, with the client's variables pointing at it.
  def self.run(env = {})
    server = new
    given = {'TASKER_ORCHESTRATION_URL' => server.url, 'TASKER_WORKER_URL' => server.url, **env}
    before = given.to_h { |name, _| [name, ENV[name]] }
    ENV.update(given)
    yield server
  ensure
    ENV.update(before) if before
    server&.stop
  end

  def initialize
    @requests = []
    @refusals = []
    @tasks = []
    @lock = Mutex.new
    @server = TCPServer.new('127.0.0.1', 0)
    @thread = Thread.new { serve }
  end

  def url = "http://127.0.0.1:#{@server.addr[1]}"

  # The next request is answered with this.
  def refuse(status, body = {'error' => {'code' => 'X', 'message' => 'refused'}}, headers = {}) = @refusals << [status, body, headers]

  def stop
    @thread.kill
    @thread.join
    @server.close
  end

  private

  def serve
    loop do
      connection = @server.accept
      Thread.new { answer(connection) }.report_on_exception = true
    end
  end

  def answer(connection)
    request = read(connection)
    status, body, headers = @lock.synchronize do
      @requests << request
      @refusals.shift || route(request)
    end
    text = body.is_a?(String) ? body : JSON.generate(body)
    type = body.is_a?(String) ? 'text/plain' : 'application/json'
    lines = {'Content-Type' => type, 'Content-Length' => text.bytesize, 'Connection' => 'close', **(headers || {})}
    connection.write("HTTP/1.1 #{status} Whatever\r\n#{lines.map { |name, value| "#{name}: #{value}\r\n" }.join}\r\n#{text}")
  ensure
    connection.close
  end

  def read(connection)
    method, target = connection.gets.split
    headers = {}
    while (line = connection.gets.chomp) && !line.empty?
      name, value = line.split(': ', 2)
      headers[name.downcase] = value
    end
    body = connection.read(headers['content-length'].to_i)
    path, query = target.split('?', 2)
    Request.new(method, path, URI.decode_www_form(query.to_s).to_h, headers, body.empty? ? nil : JSON.parse(body))
  end

  def route(request)
    case [request.method, *request.path.split('/').drop(1)]
    in ['POST', 'v1', 'tasks'] then [200, add(request.body)]
    in ['GET', 'v1', 'tasks'] then [200, list(request.query)]
    in ['GET', 'v1', 'tasks', uuid] then found(uuid) { |task| task }
    in ['DELETE', 'v1', 'tasks', uuid] then found(uuid) { |task| task.merge('status' => 'cancelled') }
    in ['GET', 'v1', 'tasks', _, 'workflow_steps'] then [200, [STEP]]
    in ['GET', 'v1', 'tasks', _, 'workflow_steps', step] then [200, STEP.merge('step_uuid' => step)]
    in ['GET', 'v1', 'tasks', _, 'workflow_steps', _, 'audit'] then [200, [AUDIT]]
    in ['GET', 'health'] then [200, {'status' => 'healthy', 'timestamp' => TIME, 'worker_id' => 'w-1'}]
    else worker_route(request)
    end
  end

  def worker_route(request)
    case [request.method, *request.path.split('/').drop(1)]
    in ['GET', 'health', 'live'] then [200, {'status' => 'alive', 'timestamp' => TIME, 'worker_id' => 'w-1'}]
    in ['GET', 'health', 'ready'] then [200, {'status' => 'ready', 'timestamp' => TIME, 'worker_id' => 'w-1', 'checks' => {}, 'system_info' => {}}]
    in ['GET', 'health', 'detailed'] then [200, {'status' => 'degraded', 'timestamp' => TIME, 'worker_id' => 'w-1', 'checks' => {}, 'system_info' => {}}]
    in ['GET', 'metrics'] then [200, "tasker_worker_info 1\n"]
    in ['GET', 'metrics', 'worker'] then [200, {'metrics' => {'up' => {'value' => 1.0, 'metric_type' => 'gauge', 'labels' => {}, 'help' => ''}}, 'timestamp' => TIME, 'worker_id' => 'w-1'}]
    in ['GET', 'metrics', 'events'] then [200, {'router' => {'total_routed' => 3}, 'in_process_bus' => {}, 'captured_at' => TIME, 'worker_id' => 'w-1'}]
    in ['GET', 'v1', 'templates'] then [200, {'supported_namespaces' => ['shop'], 'template_count' => 1, 'cache_stats' => request.query['include_cache_stats'] == 'true' ? {'total_cached' => 1} : nil, 'worker_capabilities' => []}]
    in ['GET', 'v1', 'templates', ns, name, version] then [200, {'template' => {'template' => {'name' => name}}, 'handler_metadata' => {'namespace' => ns, 'version' => version}, 'cached' => true}]
    in ['POST', 'v1', 'templates', _, _, _, 'validate'] then [200, {'valid' => true, 'errors' => [], 'required_capabilities' => [], 'step_handlers' => []}]
    in ['GET', 'config'] then [200, {'metadata' => {'environment' => 'test'}, 'worker_id' => 'w-1', 'worker_type' => 'ruby'}]
    else [404, {'error' => {'code' => 'NOT_FOUND', 'message' => 'Resource not found'}}]
    end
  end

  def add(body)
    counts = %w[total_steps pending_steps in_progress_steps completed_steps failed_steps ready_steps].to_h { |name| [name, 0] }
    task = body.slice('name', 'namespace', 'version', 'context', 'initiator', 'source_system', 'reason', 'tags', 'correlation_id')
               .merge(counts, 'task_uuid' => "t-#{@tasks.size + 1}", 'status' => 'pending', 'created_at' => TIME, 'updated_at' => TIME,
                              'completed_at' => nil, 'priority' => 0, 'parent_correlation_id' => nil, 'steps' => [],
                              'execution_status' => 'has_ready_steps', 'recommended_action' => 'none', 'completion_percentage' => 0.0,
                              'health_status' => 'healthy')
    @tasks.unshift(task)
    task
  end

  def list(query)
    page, per_page = query.fetch('page', 1).to_i, query.fetch('per_page', 25).to_i
    raise "per_page is #{per_page}" unless per_page.between?(1, 100)

    matching = @tasks.select { |task| query['namespace'].nil? || task['namespace'] == query['namespace'] }
    {'tasks' => matching.drop((page - 1) * per_page).first(per_page),
     'pagination' => {'page' => page, 'per_page' => per_page, 'total_count' => matching.size, 'total_pages' => (matching.size + per_page - 1) / per_page,
                      'has_next' => page * per_page < matching.size, 'has_previous' => page > 1}}
  end

  def found(uuid)
    task = @tasks.find { |one| one['task_uuid'] == uuid }
    task ? [200, yield(task)] : [404, {'error' => {'code' => 'NOT_FOUND', 'message' => 'Resource not found'}}]
  end
end
