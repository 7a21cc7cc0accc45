# frozen_string_literal: true

require 'tmpdir'
require_relative '../test_helper'
require_relative '../runtime/child_worker'
require_relative 'worker_program'

# Programs that poll for their steps: TaskerCore::FFI, EventBridge, EventPoller, StepExecutionSubscriber.
class PolledTest < Minitest::Test
  include WorkerProgram

  def test_polls_completes_and_yields_by_hand
    code = <<~RUBY
      ffi = TaskerCore::FFI
      p idle: [ffi.poll_step_events, ffi.complete_step_event('x', {}), ffi.checkpoint_yield_step_event('x', {'cursor' => 1, 'items_processed' => 0}), ffi.cleanup_timeouts, ffi.stop_worker, ffi.transition_to_graceful_shutdown]
      p ffi.get_ffi_dispatch_metrics['pending_count']
      TaskerCore::Registry::HandlerRegistry.instance.register_handler('any', step_handler('any') { |context:| raise 'not called' })
      p ffi.bootstrap_worker({'slots' => 4}).values_at('success', 'status')
      p ffi.bootstrap_worker.values_at('success', 'status')
      sleep 0.01 until ffi.get_ffi_dispatch_metrics['pending_count'] == 4
      p ffi.worker_status.values_at('running', 'steps_in_progress', 'steps_processed')
      sleep 1.1
      p ffi.get_ffi_dispatch_metrics.values_at('starvation_detected', 'starving_event_count')
      ffi.check_starvation_warnings
      first = ffi.poll_step_events
      p first.values_at('event_id', 'task_uuid', 'correlation_id', 'trace_id', 'span_id'), first['task_sequence_step']['task']['task']['context']
      p ffi.publish_domain_event({event_id: first['event_id'], event_name: 'order.charged', payload: {amount: 1}})
      p ffi.complete_step_event(first['event_id'], {success: true, result: {n: 1}, metadata: {custom: {who: 'me'}}})
      p ffi.complete_step_event(first['event_id'], {success: true, result: {}})
      second = ffi.poll_step_events
      p ffi.complete_step_event(second['event_id'], {'success' => false, 'error_message' => 'no luck', 'metadata' => {'retryable' => true, 'custom' => {'error_type' => 'RetryableError', 'error_code' => 'E1', 'retry_after' => 3}}})
      third = ffi.poll_step_events
      p ffi.checkpoint_yield_step_event(third['event_id'], {cursor: 10, items_processed: 10, accumulated_results: {sum: 1}})
      fourth = ffi.poll_step_events
      p ffi.complete_step_event(fourth['event_id'], {success: true, result: Float::NAN})
      p ffi.transition_to_graceful_shutdown
      sleep 0.02 while ffi.worker_status['running']
    RUBY
    run_program(code, steps: Array.new(4) { |n| ['any', {'n' => n}] }) do |running|
      assert_predicate running.wait, :success?, running.text
      assert_includes running.text, '[nil, false, false, 0, "not running", "not running"]'
      assert_includes running.text, '[true, "started"]'
      assert_includes running.text, '[false, "already_running"]'
      assert_includes running.text, '[true, 4, 0]'
      assert_includes running.text, '[true, 4]'
      assert_includes running.messages('log').map { |entry| entry['body'] }.join, 'steps wait for their poll'
      assert_includes running.text, '"0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"'
      good, bad = running.messages('result', 'error').partition { |entry| entry['header']['type'] == 'result' }
      assert_equal ['{"n":1}{"metadata":{"who":"me"}}'], good.map { |entry| entry['body'] }
      assert_equal [['no luck', true, 'E1', 3000, 'handler'], [true, false, 'INVALID_RESULT', nil, 'invalid_result']],
                   bad.map { |entry| entry['header'].values_at('message', 'retryable', 'code', 'retry_after_ms', 'kind') }.then { |a, b| [a, [b[0].include?('NaN'), *b.drop(1)]] }
      assert_equal [['order.charged', 'always'], '{"amount":1}'], running.messages('event').first.then { |entry| [entry['header'].values_at('name', 'on'), entry['body']] }
      assert_equal '{"cursor":10,"accumulated_results":{"sum":1}}', running.messages('checkpoint').first['body']
    end
  end

  def test_the_poller_and_the_subscriber_run_handlers
    code = <<~RUBY
      registry = TaskerCore::Registry::HandlerRegistry.instance
      class GoodHandler < TaskerCore::StepHandler::Base
        def call(context) = success(result: {n: context.get_input('n')}, metadata: {duration_ms: 7})
        def other(context) = failure(message: 'said no', error_type: 'ValidationError', error_code: 'V')
      end
      class BatchHandler < TaskerCore::StepHandler::Batchable
        def call(_context) = checkpoint_yield(cursor: 5, items_processed: 5)
      end
      class BadHandler < TaskerCore::StepHandler::Base
        def call(_context) = raise(TaskerCore::Errors::ValidationError.new('wrong', error_code: 'W'))
      end
      [GoodHandler, BatchHandler, BadHandler].each { |klass| registry.register_handler(klass.name, klass) }
      subscriber = TaskerCore::Worker::StepExecutionSubscriber.new.start!
      bridge = TaskerCore::Worker::EventBridge.instance
      done = Thread::Queue.new
      %w[step.completion.sent step.checkpoint_yield.sent].each { |name| bridge.subscribe(name) { |event| done << event.payload } }
      TaskerCore::FFI.bootstrap_worker({slots: 4})
      poller = TaskerCore::Worker::EventPoller.instance.start!
      p active: [poller.active?, subscriber.active?, bridge.active?]
      4.times { p done.pop.to_h }
      poller.stop!
      subscriber.stop!
      bridge.stop!
      p active: [poller.active?, subscriber.active?, bridge.active?]
      TaskerCore::FFI.stop_worker
    RUBY
    run_program(code, steps: [['GoodHandler', {'n' => 1}], ['BatchHandler', {}], ['BadHandler', {}], ['NobodyHandler', {}]]) do |running|
      assert_predicate running.wait, :success?, running.text
      assert_equal ['{"n":1}'], running.messages('result').map { |entry| entry['body'][/\A\{"n":1\}/] }
      errors = running.messages('error').map { |entry| entry['header'].values_at('message', 'retryable', 'code') }
      assert_equal [['wrong', false, 'W'], ['No handler found for NobodyHandler', false, nil]], errors
      assert_equal 5, running.messages('checkpoint').first['header']['items_processed']
      assert_match(/"execution_time_ms"=>7.*"worker_id"=>"ruby_worker".*"processed_by"=>"ruby_worker"/, running.text)
      assert_match(/active.*\[true, true, true\].*active.*\[false, false, false\]/m, running.text)
    end
  end

  def test_the_bridge_checks_what_it_is_given
    bridge = TaskerCore::Worker::EventBridge.send(:new)
    assert_equal %w[task_uuid success], assert_raises(ArgumentError) { bridge.publish_step_completion({event_id: 'e', step_uuid: 's'}) }.message.scan(/task_uuid|success/)
    assert_raises(ArgumentError) { bridge.publish_step_checkpoint_yield({event_id: 'e', step_uuid: 's', cursor: 1, items_processed: -1}) }
    assert_raises(ArgumentError) { bridge.publish_step_checkpoint_yield({event_id: 'e', step_uuid: 's', items_processed: 1}) }
    assert_raises(ArgumentError) { bridge.subscribe('no.such.event') { nil } }
    assert_raises(ArgumentError) { bridge.subscribe('bridge.error') }
    refute bridge.publish_step_completion({event_id: 'e', task_uuid: 't', step_uuid: 's', success: true}), 'nobody knows that event'
    heard = []
    bridge.subscribe_to_step_execution { |_event| raise 'a listener that fails' }
    listener = bridge.subscribe_to_step_execution { |event| heard << [event.id, event[:event_id], event.payload['task_sequence_step'].task.task_uuid, event.to_h.size] }
    capture_io { bridge.publish_step_execution({'event_id' => 'e', 'task_sequence_step' => {'task' => {'task' => {'task_uuid' => 't'}}}}) }
    assert_equal [['step.execution.received', 'e', 't', 2]], heard
    bridge.unsubscribe(listener)
    capture_io { bridge.publish_step_execution({'event_id' => 'f'}) }
    bridge.stop!
    refute bridge.subscribed?('step.execution.received')
    assert_equal 1, heard.size
  end
end
