# frozen_string_literal: true

require 'tmpdir'
require_relative '../test_helper'
require_relative 'child_worker'

# Decisions, batches, checkpoints, method dispatch and metadata over the wire.
class OutcomesTest < Minitest::Test
  CODE = <<~RUBY
    require 'tasker_core'
    include TaskerCore::StepHandler::Functional
    RouteHandler = decision_handler('route') { |context:| Decision.route(%w[a b], total: context.get_input('total')) }
    PlanHandler = batch_analyzer('plan', worker_template: 'work') { |**| BatchConfig.new(total_items: 10, batch_size: 4) }
    WorkHandler = batch_worker('work') do |batch_context:, context:|
      next TaskerCore::Types::StepHandlerCallResult.checkpoint_yield(cursor: 7, items_processed: 7, accumulated_results: {sum: 1}) unless batch_context.has_checkpoint?

      {from: batch_context.checkpoint_cursor, to: batch_context.end_cursor, sum: batch_context.accumulated_results['sum']}
    end
    module Shop
      class ChargeHandler < TaskerCore::StepHandler::Base
        def call(context) = success(result: {mode: config['mode'], seen: context.get_dependency_result('price')}, metadata: {by: :call})
        def refund(context) = failure(message: 'no', error_type: 'ValidationError', error_code: 'R1', metadata: {retry_after: 2, status_code: 422})
        def odd(context) = {at: Time.at(0).utc, sym: :x, key: {1 => 2}}
        def bad_metadata(context) = success(result: 1, metadata: {x: Object.new})
        def network(context) = raise(TaskerCore::Errors::NetworkError.new('down', status_code: 503, context: {host: 'h', odd: Object.new}))
        def thread_names(context) = {ids: %i[task_uuid step_uuid correlation_id].map { |key| Thread.current[key] }}
      end
    end
  RUBY

  def test_outcomes
    with_worker do |worker|
      header, value, = worker.answer(worker.step('route', {'total' => 5}))
      assert_equal ['decision', {'type' => 'create_steps', 'step_names' => %w[a b]}], [header['outcome'], value['decision_point_outcome']]
      header, value, = worker.answer(worker.step('plan'))
      assert_equal ['batch_plan', 'create_batches', 3], [header['outcome'], *value['batch_processing_outcome'].values_at('type', 'worker_count')]
      kinds = worker.handlers.to_h { |handler| handler.values_at('callable', 'kind') }
      assert_equal %w[decision batch_analyzer batch_worker step], kinds.values_at('route', 'plan', 'work', 'Shop::ChargeHandler')
    end
  end

  def test_checkpoint_yield_and_going_on
    with_worker do |worker|
      inputs = {'cursor' => {'batch_id' => '001', 'start_cursor' => 0, 'end_cursor' => 10}}
      header, value, = worker.answer(worker.step('work', inputs: inputs))
      assert_equal ['checkpoint', true, 7], header.values_at('type', 'yield', 'items_processed')
      assert_equal({'cursor' => 7, 'accumulated_results' => {'sum' => 1}}, value)
      _, value, = worker.answer(worker.step('work', inputs: inputs, checkpoint: value.merge('items_processed' => 7)))
      assert_equal({'from' => 7, 'to' => 10, 'sum' => 1}, value)
    end
  end

  def test_class_handlers_config_dependencies_metadata_and_methods
    with_worker do |worker|
      _, value, detail = worker.answer(worker.step('Shop::ChargeHandler', initialization: {'mode' => 'test'}, dependencies: {'price' => {'result' => 3}}))
      assert_equal [{'mode' => 'test', 'seen' => 3}, {'metadata' => {'by' => 'call'}}], [value, detail]

      header, _, detail = worker.answer(worker.step('Shop::ChargeHandler', method: 'refund'))
      assert_equal ['ValidationError', 'R1', false, 2000, 422], header.values_at('error_type', 'code', 'retryable', 'retry_after_ms', 'status_code')
      assert_equal({'retry_after' => 2, 'status_code' => 422}, detail['metadata'])

      header, = worker.answer(worker.step('Shop::ChargeHandler', method: 'nothing'))
      assert_equal 'handler_not_found', header['kind']

      assert_equal({'ids' => %w[task-1 step-1 corr-1]}, worker.answer(worker.step('Shop::ChargeHandler', method: 'thread_names'))[1])
    end
  end

  def test_values_with_an_obvious_text_travel_and_others_do_not
    with_worker do |worker|
      assert_equal({'at' => '1970-01-01T00:00:00.000000Z', 'sym' => 'x', 'key' => {'1' => 2}}, worker.answer(worker.step('Shop::ChargeHandler', method: 'odd'))[1])
      header, = worker.answer(worker.step('Shop::ChargeHandler', method: 'bad_metadata'))
      assert_equal 'invalid_result', header['kind']
      assert_includes header['message'], 'metadata.x'
    end
  end

  def test_exceptions_carry_status_context_and_backtrace
    with_worker do |worker|
      header, _, detail = worker.answer(worker.step('Shop::ChargeHandler', method: 'network'))
      assert_equal ['UnexpectedError', true, 503, 'down'], header.values_at('error_type', 'retryable', 'status_code', 'message')
      assert_equal 'h', detail['context']['host']
      assert_match(/#<Object/, detail['context']['odd'])
      assert_match(/network/, detail['backtrace'].first)
      assert_equal 'TaskerCore::Errors::NetworkError', detail['metadata']['error_class']
    end
  end

  private

  def with_worker(&block)
    Dir.mktmpdir do |folder|
      File.write(File.join(folder, 'shop.rb'), CODE)
      ChildWorker.run(handlers: [folder], &block)
    end
  end
end
