# frozen_string_literal: true

require_relative '../test_helper'
require_relative 'step_data'

class StepContextTest < Minitest::Test
  def test_ids_and_names
    context = StepData.context
    assert_equal %w[task-1 step-1 charge shop Shop::ChargeHandler],
                 [context.task_uuid, context.step_uuid, context.step_name, context.namespace_name, context.handler_name]
    assert_equal %w[order 1.2.0], [context.task.task_name, context.task.task_version]
    assert_equal 'other', TaskerCore::Types::StepContext.new(StepData.build, handler_name: 'other').handler_name
  end

  def test_symbol_keys_are_taken_too
    data = JSON.parse(JSON.generate(StepData.build(context: {a: {b: 1}})), symbolize_names: true)
    assert_equal 1, TaskerCore::Types::StepContext.new(data).get_input(:a)[:b]
  end

  def test_task_input_reads_with_either_key_nested_and_in_arrays
    context = StepData.context(context: {'order' => {'items' => [{'sku' => 'A'}]}, 'zero' => 0, 'off' => false, 'none' => nil})
    assert_equal 'A', context.context[:order]['items'][0][:sku]
    assert_equal 'A', context.context.dig(:order, :items, 0, :sku)
    assert_equal 0, context.get_input(:zero)
    assert_equal 0, context.get_task_field('zero')
    assert_equal false, context.get_input_or('off', true)
    assert_equal 'd', context.get_input_or('none', 'd')
    assert_nil context.get_input('missing')
  end

  def test_step_inputs_and_config
    context = StepData.context(inputs: {'cursor' => {'start_cursor' => 1}}, initialization: {'api' => {'url' => 'u'}})
    assert_equal 1, context.input_data[:cursor][:start_cursor]
    assert_same context.input_data, context.step_inputs
    assert_equal 'u', context.get_config('api')[:url]
    assert_equal 'u', context.step_config[:api]['url']
  end

  def test_dependency_results_are_unwrapped
    context = StepData.context(dependencies: {
      'validate' => {'success' => true, 'result' => {'total' => 5, 'items' => [{'sku' => 'A'}]}},
      'number' => {'result' => 7}, 'raw' => {'total' => 3}, 'nothing' => {'result' => nil}
    })
    assert_equal 5, context.get_dependency_result('validate')[:total]
    assert_equal 5, context.get_dependency_result(:validate)['total']
    assert_equal 7, context.get_dependency_result('number')
    assert_equal 3, context.get_dependency_result('raw')['total']
    assert_nil context.get_dependency_result('nothing')
    assert_nil context.get_dependency_result('missing')
    assert_equal 'A', context.get_dependency_field('validate', 'items', 0, :sku)
    assert_nil context.get_dependency_field('missing', 'a', 'b')
    assert_nil context.get_dependency_field('number', 'a')
    results = context.dependency_results
    assert_equal %w[validate number raw nothing], results.keys
    assert_equal true, results['validate'][:success]
    assert results.key?(:raw)
  end

  def test_retries
    first = StepData.context(attempts: nil)
    assert_equal [0, 3, false, false, true], [first.retry_count, first.max_retries, first.is_retry?, first.is_last_retry?, first.retryable?]
    last = StepData.context(attempts: 2, max_attempts: 3, retryable: false)
    assert_equal [2, true, true, false], [last.retry_count, last.is_retry?, last.is_last_retry?, last.retryable?]
    assert_equal 3, StepData.context(max_attempts: nil).max_retries
  end

  def test_checkpoint
    none = StepData.context
    assert_equal [nil, nil, 0, nil, false], [none.checkpoint, none.checkpoint_cursor, none.checkpoint_items_processed, none.accumulated_results, none.has_checkpoint?]
    some = StepData.context(checkpoint: {'cursor' => 0, 'items_processed' => 10, 'accumulated_results' => {'sum' => 4}})
    assert_equal [0, 10, 4, true], [some.checkpoint_cursor, some.checkpoint_items_processed, some.accumulated_results[:sum], some.has_checkpoint?]
  end

  def test_outside_the_bridge_nothing_is_cancelled
    context = StepData.context
    refute context.cancelled?
    refute context.wait_cancelled(0)
  end

  def test_task_sequence_step_wrapper
    step = TaskerCore::Models::TaskSequenceStepWrapper.new(StepData.build(context: {'a' => 1}, dependencies: {'x' => {'result' => 2}}))
    assert_equal 1, step.get_task_field(:a)
    assert_equal({'result' => 2}, step.get_dependency_result('x'))
    assert_equal 2, step.get_results('x')
    assert_equal ['validate'], step.step_definition.dependencies
  end
end
