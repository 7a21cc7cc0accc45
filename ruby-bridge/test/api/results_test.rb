# frozen_string_literal: true

require_relative '../test_helper'

class ResultsTest < Minitest::Test
  Result = TaskerCore::Types::StepHandlerCallResult
  Errors = TaskerCore::Errors

  def test_factories
    assert Result.success(result: 5).success?
    error = Result.error(error_type: 'ValidationError', message: 'm', error_code: 'C', retryable: true, metadata: {a: 1})
    assert_equal ['ValidationError', 'm', 'C', true, {a: 1}, false], [error.error_type, error.message, error.error_code, error.retryable, error.metadata, error.success]
    assert_raises(ArgumentError) { Result.error(error_type: 'Other', message: 'm') }
    assert_equal 'Other', Result.failure(error_message: 'm', error_type: 'Other').error_type
    assert_raises(ArgumentError) { Result.checkpoint_yield(cursor: 1, items_processed: -1) }
    yielded = Result.checkpoint_yield(cursor: {'id' => 1}, items_processed: 3)
    assert yielded.checkpoint?
    assert_equal({event_id: 'e', step_uuid: 's', cursor: {'id' => 1}, items_processed: 3}, yielded.to_checkpoint_data(event_id: 'e', step_uuid: 's'))
  end

  def test_from_handler_output
    kept = Result.success(result: 1)
    assert_same kept, Result.from_handler_output(kept)
    assert_equal({'x' => 1}, Result.from_handler_output({success: true, result: {'x' => 1}}).result)
    assert_equal({success: true, x: 1}, Result.from_handler_output({success: true, x: 1}).result)
    error = Result.from_handler_output({'success' => false})
    assert_equal ['UnexpectedError', 'Unknown error', false], [error.error_type, error.message, error.retryable]
    plain = Result.from_handler_output({'x' => 1})
    assert_equal [{'x' => 1}, {wrapped: true, original_type: 'Hash'}], [plain.result, plain.metadata]
    assert_equal({wrapped: true, original_type: 'Integer'}, Result.from_handler_output(3).metadata)
  end

  def test_from_exception
    permanent = Result.from_exception(Errors::ValidationError.new('m', field: 'f', error_code: 'E', context: {a: 1}))
    assert_equal ['PermanentError', false, 'E', {context: {a: 1}}], [permanent.error_type, permanent.retryable, permanent.error_code, permanent.metadata]
    retryable = Result.from_exception(Errors::RetryableError.new('m', retry_after: 3))
    assert_equal ['RetryableError', true, 3], [retryable.error_type, retryable.retryable, retryable.metadata[:retry_after]]
    other = Result.from_exception((raise 'boom' rescue $!))
    assert_equal ['UnexpectedError', true, 'RuntimeError'], [other.error_type, other.retryable, other.metadata[:exception_class]]
    assert_operator other.metadata[:stack_trace].size, :<=, 10
  end

  def test_an_exception_that_says_permanent_is_permanent
    declined = Class.new(StandardError) { def retryable? = false }
    refute Result.from_exception(declined.new('m')).retryable
    refute Errors::ErrorClassifier.retryable?(declined.new)
  end

  def test_classifier
    [Errors::ConfigurationError.new, Errors::PermanentError.new('m'), Errors::NotFoundError.new('m'), Errors::DatabaseError.new,
     Errors::FFIError.new('m', operation: 'o', context: {})].each { |error| refute Errors::ErrorClassifier.retryable?(error), error.class.name }
    [Errors::RetryableError.new('m'), Errors::TimeoutError.new('m', timeout_duration: 1, context: {}), Errors::NetworkError.new('m', status_code: 503, context: {}),
     Errors::ServerError.new, StandardError.new, NotImplementedError.new].each { |error| assert Errors::ErrorClassifier.retryable?(error), error.class.name }
    assert_equal 'NotFoundError', Errors::NotFoundError.new('m').error_class
    assert_same Errors::PermanentError, TaskerCore::PermanentError
  end

  def test_errors_load_alone_and_twice
    file = File.expand_path('../../lib/tasker_core/errors.rb', __dir__)
    assert system('ruby', '-W', '-e', "load #{file.inspect}; load #{file.inspect}; raise unless TaskerCore::Errors::NotFoundError < TaskerCore::PermanentError")
  end

  def test_decision_outcomes
    outcome = TaskerCore::Types::DecisionPointOutcome
    assert_equal({type: 'no_branches'}, outcome.no_branches.to_h)
    assert_equal({type: 'create_steps', step_names: %w[a b]}, outcome.create_steps(%w[a b]).to_h)
    assert_raises(ArgumentError) { outcome.create_steps([]) }
    assert_equal %w[a], outcome.from_hash({'type' => 'CreateSteps', 'step_names' => %w[a]}).step_names
    assert_nil outcome.from_hash({type: 'other'})
  end

  def test_batch_outcomes
    outcome = TaskerCore::Types::BatchProcessingOutcome
    config = {batch_id: '001', start_cursor: 0, end_cursor: 5, batch_size: 5}
    plan = outcome.create_batches(worker_template_name: 'w', worker_count: 1, cursor_configs: [config], total_items: 5)
    assert plan.requires_batch_creation?
    assert_equal '001', plan.to_h['cursor_configs'][0]['batch_id']
    assert_equal plan.to_h, outcome.from_hash(plan.to_h).to_h
    assert_raises(ArgumentError) { outcome.create_batches(worker_template_name: 'w', worker_count: 2, cursor_configs: [config], total_items: 5) }
    assert_raises(ArgumentError) { outcome.create_batches(worker_template_name: 'w', worker_count: 1, cursor_configs: [config.merge(batch_size: 4)], total_items: 5) }
    assert_raises(ArgumentError) { outcome.create_batches(worker_template_name: '', worker_count: 0, cursor_configs: [], total_items: 0) }
    assert_equal({'type' => 'no_batches'}, outcome.no_batches.to_h)
  end
end
