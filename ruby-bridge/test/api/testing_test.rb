# frozen_string_literal: true

require_relative '../test_helper'
require 'tasker_core/testing'

# The helpers for users' tests run handlers as a worker would.
class TestingTest < Minitest::Test
  Testing = TaskerCore::Testing

  class EchoHandler < TaskerCore::StepHandler::Base
    def call(context)
      raise TaskerCore::RetryableError.new('busy', retry_after: 3) if context.get_input('how') == 'busy'
      raise TaskerCore::ConfigurationError, 'wrong' if context.get_input('how') == 'wrong'
      return {bad: Float::NAN} if context.get_input('how') == 'nan'
      return failure(message: 'no', retryable: true) if context.get_input('how') == 'no'

      {config: config['a'], retry: context.is_retry?, last: context.is_last_retry?, cancelled: context.cancel_reason, when: Time.at(0).utc, inputs: context.step_inputs}
    end
  end

  def test_results_are_as_the_next_step_reads_them
    result = Testing.run_step(EchoHandler, config: {a: 1}, attempts: 2, cancel_reason: 'timeout')
    assert_equal [1, true, true, 'timeout', {'a' => 1}], result.result.values_at(:config, :retry, :last, :cancelled, :inputs)
    assert_kind_of String, result.result['when']
    assert_equal [nil, false], Testing.run_step(EchoHandler.new).result.values_at(:config, :retry)
  end

  def test_failures
    busy = Testing.run_step(EchoHandler, context: {how: 'busy'})
    assert_equal ['busy', true, 3], [busy.message, busy.retryable, busy.metadata[:retry_after]]
    wrong = Testing.run_step(EchoHandler, context: {how: 'wrong'})
    assert_equal ['wrong', false], [wrong.message, wrong.retryable]
    assert_equal ['no', true], Testing.run_step(EchoHandler, context: {'how' => 'no'}).then { |error| [error.message, error.retryable] }
    assert_raises(TaskerCore::Internal::Json::InvalidValue) { Testing.run_step(EchoHandler, context: {how: 'nan'}) }
    assert_includes Testing.run_step('nobody.knows').message, 'No handler found for nobody.knows'
  end

  def test_batches_and_names
    context = Testing.step_context(inputs: {cursor: {batch_id: '001', start_cursor: 0, end_cursor: 3}}, checkpoint: {cursor: 2, items_processed: 2})
    assert_equal [3, 2], TaskerCore::BatchProcessing::BatchWorkerContext.from_step_data(context.workflow_step).then { |batch| [batch.end_cursor, batch.checkpoint_cursor] }
    TaskerCore::Registry::HandlerRegistry.instance.register_handler('testing.echo', EchoHandler)
    assert_predicate Testing.run_step('testing.echo'), :success?
  end
end
