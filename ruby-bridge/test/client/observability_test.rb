# frozen_string_literal: true

require_relative '../test_helper'
require_relative 'rest_server'

# TaskerCore::Observability and the FFI functions that ask the REST API.
class ObservabilityTest < Minitest::Test
  Observability = TaskerCore::Observability
  FFI = TaskerCore::FFI

  def test_health
    RestServer.run do |server|
      assert_equal %w[healthy alive ready degraded],
                   [Observability.health_basic, Observability.health_live, Observability.health_ready, Observability.health_detailed].map { |answer| answer[:status] }
      assert_equal [true, true], [Observability.ready?, Observability.alive?]
      server.refuse(503, {'error' => 'service_unavailable', 'message' => 'Worker is not ready to process steps'})
      assert_equal 'service_unavailable', Observability.health_ready['error']
      server.refuse(503, {'error' => 'service_unavailable'})
      refute Observability.ready?
      server.refuse(500)
      refute Observability.alive?
    end
  end

  def test_metrics_templates_and_configuration
    RestServer.run do |server|
      assert_equal 1.0, Observability.metrics_worker.dig(:metrics, :up, :value)
      assert_equal 3, Observability.event_stats['router']['total_routed']
      assert_equal "tasker_worker_info 1\n", Observability.prometheus_metrics
      assert_equal [1, nil], Observability.templates_list.values_at(:template_count, :cache_stats)
      assert_equal({'total_cached' => 1}, Observability.templates_list(include_cache_stats: true)['cache_stats'])
      assert_equal 1, Observability.cache_stats[:total_cached]
      assert_equal 'order', Observability.template_get(namespace: 'shop', name: 'order', version: '1.0.0').dig(:template, :template, :name)
      assert Observability.template_validate(namespace: 'shop', name: 'order', version: '1.0.0')[:valid]
      assert_equal ['POST', '/v1/templates/shop/order/1.0.0/validate'], server.requests.last.to_a.first(2)
      assert_equal 'ruby', Observability.config[:worker_type]
      assert_equal 'test', Observability.environment
    end
  end

  def test_client_functions_of_the_native_library
    RestServer.run do
      created = FFI.client_create_task({'name' => 'order', 'namespace' => 'shop', 'context' => {'a' => 1}})
      assert_equal ['order', {'a' => 1}], created.values_at('name', 'context')
      uuid = created['task_uuid']
      assert_equal uuid, FFI.client_get_task(uuid)['task_uuid']
      assert_equal 1, FFI.client_list_tasks['tasks'].size
      assert_equal true, FFI.client_cancel_task(uuid)['cancelled']
      assert_equal 'charge', FFI.client_list_task_steps(uuid).first['name']
      assert_equal 's-9', FFI.client_get_step(uuid, 's-9')['step_uuid']
      assert_equal 'a-1', FFI.client_get_step_audit_history(uuid, 's-1').first['audit_uuid']
      assert_equal({'healthy' => true}, FFI.client_health_check)
      assert_equal({'total_cached' => 1}, FFI.templates_cache_stats)
      assert_equal 'test', FFI.config_environment
      assert_equal true, FFI.metrics_prometheus.include?('tasker_worker_info')
      assert TaskerCore::Internal::OrchestrationManager.instance.healthy?
    end
    refute with_closed_port { TaskerCore::Internal::OrchestrationManager.instance.healthy? }
  end

  def test_log_functions
    _, text = capture_io do
      FFI.log_error('e', {'a' => 1})
      FFI.log_warn('w')
      FFI.log_info('i', nil)
      FFI.log_debug('d')
      FFI.log_trace('t')
    end
    assert_equal %w[ERROR WARN INFO], text.lines.map { |line| line.split[1] }
    assert_includes text, 'a=1'
  end

  private

  def with_closed_port
    server = TCPServer.new('127.0.0.1', 0)
    port = server.addr[1]
    server.close
    before = ENV['TASKER_ORCHESTRATION_URL']
    ENV['TASKER_ORCHESTRATION_URL'] = "http://127.0.0.1:#{port}"
    yield
  ensure
    ENV['TASKER_ORCHESTRATION_URL'] = before
  end
end
