# frozen_string_literal: true

require 'tmpdir'
require_relative '../test_helper'
require_relative 'rest_server'

# TaskerCore::Client over real HTTP.
class ClientTest < Minitest::Test
  Client = TaskerCore::Client
  Errors = TaskerCore::Errors
  Types = TaskerCore::Types

  def test_create_sends_every_key_and_reads_the_task
    RestServer.run do |server|
      task = Client.create_task(name: 'order', namespace: 'shop', context: {id: 1, list: [{a: nil}]}, priority: 5)
      assert_instance_of Types::ClientTaskResponse, task
      assert_equal ['t-1', 'order', 'pending', {'id' => 1, 'list' => [{'a' => nil}]}], [task.task_uuid, task.name, task.status, task.context]
      body = server.requests[0].body
      assert_equal ['1.0.0', 'tasker-core-ruby', 'tasker-core', 'Task requested', [], 5],
                   body.values_at('version', 'initiator', 'source_system', 'reason', 'tags', 'priority')
      assert_empty %w[options priority parent_correlation_id requested_at correlation_id] - body.keys
      assert_match(/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\z/, body['requested_at'])
      assert_match(%r{\Atasker-worker/\d}, server.requests[0].headers['user-agent'])
      assert_raises(ArgumentError) { Client.create_task(name: 'x', prioritty: 1) }
    end
  end

  def test_reads_and_cancel
    RestServer.run do
      uuid = Client.create_task(name: 'order').task_uuid
      assert_equal uuid, Client.get_task(uuid).task_uuid
      assert_equal({'cancelled' => true, 'task_uuid' => uuid}, Client.cancel_task(uuid))
      assert_equal ['charge'], Client.list_task_steps(uuid).map(&:name)
      assert_instance_of Types::ClientStepResponse, Client.get_step(uuid, 's 1')
      assert_equal 's+1', Client.get_step(uuid, 's 1').step_uuid
      assert_equal [true, nil], Client.get_step_audit_history(uuid, 's-1').first.then { |entry| [entry.success, entry.worker_uuid] }
      assert_instance_of Types::ClientStepAuditResponse, Client.get_step_audit_history(uuid, 's-1').first
      health = Client.health_check
      assert_equal ['healthy', true, true], [health.status, health.healthy?, health['healthy']]
      assert_instance_of Types::ClientHealthResponse, health
    end
  end

  def test_an_answer_that_does_not_fit_comes_as_it_is
    RestServer.run do |server|
      server.refuse(200, {'healthy' => true})
      assert_equal({'healthy' => true}, Client.health_check)
    end
  end

  def test_lists_by_limit_and_offset
    RestServer.run do |server|
      250.times { |number| Client.create_task(name: "order-#{number}", namespace: number.even? ? 'even' : 'odd') }
      list = Client.list_tasks
      assert_instance_of Types::ClientTaskListResponse, list
      assert_equal [50, 250, true], [list.tasks.size, list.pagination['total_count'], list.pagination[:has_next]]
      assert_equal 'order-249', list.tasks.first[:name]
      assert_equal %w[order-246 order-245], Client.list_tasks(limit: 2, offset: 3).tasks.map { |task| task['name'] }
      wide = Client.list_tasks(limit: 180, offset: 50)
      assert_equal [180, 'order-199', 'order-20', true], [wide.tasks.size, wide.tasks.first['name'], wide.tasks.last['name'], wide.pagination['has_next']]
      assert_equal 125, Client.list_tasks(limit: 200, namespace: 'odd').tasks.size
      assert_equal({'page' => '1', 'per_page' => '50', 'status' => 'completed'}, (Client.list_tasks(status: 'completed'); server.requests.last.query))
      assert_raises(ArgumentError) { Client.list_tasks(limit: 0) }
      assert_raises(ArgumentError) { Client.list_tasks(offset: -1) }
    end
  end

  def test_refusals_are_errors_of_this_gem_with_the_servers_words
    RestServer.run do |server|
      error = assert_raises(Errors::NotFoundError) { Client.get_task('nobody') }
      assert_includes error.message, 'Resource not found'
      {400 => Errors::ValidationError, 401 => Errors::PermanentError, 409 => Errors::PermanentError, 422 => Errors::ValidationError,
       500 => Errors::ServerError}.each do |status, expected|
        server.refuse(status)
        raised = assert_raises(expected, status) { Client.get_task('t-1') }
        assert_equal status, raised.context[:status_code]
      end
      server.refuse(503, {'error' => {'code' => 'BACKPRESSURE', 'message' => 'Service under backpressure: full'}}, 'Retry-After' => '15')
      assert_equal 15, assert_raises(Errors::RetryableError) { Client.get_task('t-1') }.retry_after
    end
  end

  def test_only_the_creation_is_repeated
    RestServer.run do |server|
      pauses = []
      settings = TaskerCore::Internal::Client::SettingsReader.new.read('orchestration')
      rest = TaskerCore::Internal::Client::RestClient.new(settings, pause: pauses.method(:push))
      2.times { server.refuse(500) }
      assert_equal 't-1', rest.post_again('/v1/tasks', {'name' => 'order'})['task_uuid']
      assert_equal [2, 4], pauses
      3.times { server.refuse(503) }
      assert_raises(Errors::RetryableError) { rest.post_again('/v1/tasks', {'name' => 'order'}) }
      assert_empty server.refusals
      server.refuse(409)
      assert_raises(Errors::PermanentError) { rest.post_again('/v1/tasks', {'name' => 'order'}) }
      assert_equal [2, 4, 2, 4], pauses
    end
  end

  def test_no_server_and_a_slow_one
    server = TCPServer.new('127.0.0.1', 0)
    port = server.addr[1]
    with_env('TASKER_ORCHESTRATION_URL' => "http://127.0.0.1:#{port}", 'TASKER_ORCHESTRATION_TIMEOUT_MS' => '200') do
      assert_raises(Errors::TimeoutError) { Client.health_check }
      server.close
      assert_raises(Errors::NetworkError) { Client.health_check }
    end
  ensure
    server.close
  end

  def test_credentials_from_the_environment
    RestServer.run('TASKER_AUTH_TOKEN' => 'both', 'TASKER_API_KEY' => 'key') do |server|
      Client.health_check
      assert_equal ['Bearer both', nil], server.requests.last.headers.values_at('authorization', 'x-api-key')
      with_env('TASKER_ORCHESTRATION_AUTH_TOKEN' => 'own') { Client.health_check }
      assert_equal 'Bearer own', server.requests.last.headers['authorization']
      with_env('TASKER_AUTH_TOKEN' => nil, 'TASKER_API_KEY_HEADER' => 'X-Key') { Client.health_check }
      assert_equal [nil, 'key'], server.requests.last.headers.values_at('authorization', 'x-key')
    end
  end

  def test_configuration_files_and_profiles
    Dir.mktmpdir do |folder|
      read = ->(env, server = 'orchestration') { TaskerCore::Internal::Client::SettingsReader.new(env: {'HOME' => folder, **env}, folder: folder).read(server) }
      assert_equal ['http://localhost:8080', 30_000, 3], read.call({}).then { |s| [s.base_url, s.timeout_ms, s.max_retries] }
      assert_equal 'http://localhost:8081', read.call({}, 'worker').base_url
      File.write(File.join(folder, 'tasker-client.toml'), <<~TOML)
        transport = "rest" # the only one
        [orchestration]
        base_url = "http://file:1"
        timeout_ms = 1_500
        auth = { method = { type = "ApiKey", value = { key = "k", header_name = "X-Own" } } }
        [worker]
        auth_token = 'literal'
        [profile.staging.orchestration]
        base_url = "http://staging:2"
        [profile.default.orchestration]
        max_retries = 1
        auth.method = { type = "BearerToken", value = "t\\"q" }
        [cli]
        list = ["a", 1, 2.5, true]
      TOML
      assert_equal ['http://file:1', 1500, 'k'], read.call({}).then { |s| [s.base_url, s.timeout_ms, s.headers['X-Own']] }
      assert_equal 'Bearer literal', read.call({}, 'worker').headers['Authorization']
      staging = read.call({'TASKER_CLIENT_PROFILE' => 'staging'})
      assert_equal ['http://staging:2', 1, 'Bearer t"q'], [staging.base_url, staging.max_retries, staging.headers['Authorization']]
      assert_equal 'http://env:3', read.call({'TASKER_ORCHESTRATION_URL' => 'http://env:3'}).base_url
      assert_includes assert_raises(Errors::ConfigurationError) { read.call({'TASKER_CLIENT_PROFILE' => 'prod'}) }.message, 'staging'
      assert_raises(Errors::ConfigurationError) { read.call({'TASKER_ORCHESTRATION_TIMEOUT_MS' => 'soon'}) }
      File.write(File.join(folder, 'tasker-client.toml'), "[orchestration]\nbase_url = nothing\n")
      assert_match(/tasker-client.toml:2: expected a value/, assert_raises(Errors::ConfigurationError) { read.call({}) }.message)
    end
  end

  def test_task_request
    request = Types::TaskRequest.new(namespace: 'shop', name: 'order')
    assert_equal ['1.0.0', 'pending', false, [], {}, 0, 60, 3, 300, nil, nil],
                 [request.version, request.status, request.complete, request.tags, request.context, request.priority,
                  request.claim_timeout_seconds, request.max_retries, request.timeout_seconds, request.parent_task_uuid, request.correlation_id]
    assert request.valid_for_creation?
    refute Types::TaskRequest.new(namespace: '', name: 'order').valid_for_creation?
    assert_equal 'order', request.to_ffi_hash[:name]
    assert_equal 7, Types::TaskRequest.from_hash({'namespace' => 'n', 'name' => 'x', 'priority' => 7, 'other' => 1}).priority
    test = Types::TaskRequest.build_test(namespace: 'n', name: 'x', context: {a: 1}, priority: 2)
    assert_equal [{a: 1}, 2, true], [test.context, test.priority, test.valid_for_creation?]
    assert_kind_of Time, request.requested_at
  end

  private

  def with_env(values)
    before = values.to_h { |name, _| [name, ENV[name]] }
    ENV.update(values)
    yield
  ensure
    ENV.update(before)
  end
end
