# frozen_string_literal: true

require_relative '../test_helper'
require_relative 'step_data'

class HandlersTest < Minitest::Test
  class OrderTotalHandler < TaskerCore::StepHandler::Base
    VERSION = '2.1.0'
    def process_async = nil
  end

  class RouteHandler < TaskerCore::StepHandler::Decision; end
  class PlanHandler < TaskerCore::StepHandler::Batchable; end

  def test_base
    handler = OrderTotalHandler.new
    assert_equal({}, handler.config)
    assert_equal 'order_total_handler', handler.handler_name
    assert_equal %w[process async], handler.capabilities
    assert_equal '2.1.0', handler.metadata[:version]
    assert_nil handler.orchestration_system.anything(1, a: 2)
    assert_same TaskerCore::Logger.instance, handler.logger
    assert_raises(NotImplementedError) { handler.call(nil) }
    assert_raises(ArgumentError) { handler.success }
    assert_equal false, handler.success(result: false).result
    assert_equal 1, handler.success(result_data: 1).result
    assert_raises(ArgumentError) { handler.failure(message: 'm', error_type: 'Nope') }
  end

  def test_decision
    handler = RouteHandler.new
    result = handler.decision_success(steps: 'ship', result_data: {total: 1}, metadata: {mine: 2})
    assert_equal({total: 1, decision_point_outcome: {type: 'create_steps', step_names: ['ship']}}, result.result)
    assert_equal [true, 'create_steps', 1, 2, 'route_handler'],
                 result.metadata.values_at(:decision_point, :outcome_type, :branches_created, :mine, :processed_by)
    assert_equal({decision_point_outcome: {type: 'no_branches'}}, handler.skip_branches.result)
    assert_equal({type: 'create_steps', step_names: ['a']}, handler.validate_decision_outcome!({'type' => 'CreateSteps', 'step_names' => ['a']}))
    [{steps: []}, {steps: ['']}, {steps: [1]}].each do |wrong|
      error = assert_raises(TaskerCore::Errors::PermanentError) { handler.decision_success(**wrong) }
      assert_equal 'INVALID_DECISION_OUTCOME', error.error_code
    end
    assert_includes handler.capabilities, 'dynamic_workflow'
  end

  def test_cursor_configs_cover_every_item_once
    handler = PlanHandler.new
    [[10, 3], [100, 10], [3, 5], [0, 2], [7, 1]].each do |total, count|
      configs = handler.create_cursor_configs(total, count)
      assert_equal count, configs.size
      covered = configs.flat_map { |config| (config['start_cursor']...config['end_cursor']).to_a }
      assert_equal (0...total).to_a, covered
      assert(configs.all? { |config| config['batch_size'] == config['end_cursor'] - config['start_cursor'] })
    end
    assert_equal '001', handler.create_cursor_configs(1, 1)[0]['batch_id']
    assert_equal 'x1', handler.create_cursor_configs(2, 2) { |config, index| config['batch_id'] = "x#{index}" }[1]['batch_id']
    assert_raises(ArgumentError) { handler.create_cursor_configs(5, 0) }
  end

  def test_batch_outcomes
    handler = PlanHandler.new
    configs = handler.create_cursor_configs(10, 2)
    plan = handler.create_batches_outcome(worker_template_name: 'w', cursor_configs: configs, total_items: 10, metadata: {extra: 1}).result
    assert_equal ['create_batches', 2, 10, 1], [plan['batch_processing_outcome']['type'], plan['worker_count'], plan['total_items'], plan['extra']]
    none = handler.no_batches_outcome(reason: 'empty', metadata: {'a' => 1}).result
    assert_equal({'batch_processing_outcome' => {'type' => 'no_batches'}, 'reason' => 'empty', 'a' => 1}, none)
    done = handler.batch_worker_success(items_processed: 5, items_succeeded: 4, items_failed: 1, last_cursor: 9)
    assert_equal [{'items_processed' => 5, 'items_succeeded' => 4, 'items_failed' => 1, 'items_skipped' => 0, 'last_cursor' => 9}, {batch_worker: true}],
                 [done.result, done.metadata]
    assert_equal({'worker_count' => 0, 'scenario' => 'no_batches', 'x' => 0}, handler.no_batches_aggregation_result('x' => 0).result)
    assert_equal({'worker_count' => 0, 'scenario' => 'no_batches', 'x' => 0}, handler.no_batches_aggregation_result(metadata: {x: 0}).result)
  end

  def test_batch_context
    context = StepData.context(inputs: {'cursor' => {'batch_id' => '002', 'start_cursor' => 5, 'end_cursor' => 10}, 'batch_metadata' => {'cursor_field' => 'id'}})
    batch = PlanHandler.new.get_batch_context(context)
    assert_equal [5, 10, '002', false, 'id', 0], [batch.start_cursor, batch.end_cursor, batch.batch_id, batch.no_op?, batch.batch_metadata[:cursor_field], batch.checkpoint_items_processed]
    assert_nil PlanHandler.new.handle_no_op_worker(batch)

    idle = PlanHandler.new.get_batch_context(StepData.context(inputs: {'is_no_op' => true}))
    assert_equal({'batch_id' => 'unknown', 'no_op' => true, 'processed_count' => 0}, PlanHandler.new.handle_no_op_worker(idle).result)

    [nil, {'batch_id' => '1'}, {'batch_id' => '1', 'start_cursor' => 5, 'end_cursor' => 1}, {'batch_id' => '1', 'start_cursor' => 1, 'end_cursor' => 'z'},
     {'batch_id' => '1', 'start_cursor' => -1, 'end_cursor' => 1}].each do |cursor|
      assert_raises(ArgumentError) { PlanHandler.new.get_batch_context(StepData.context(inputs: {'cursor' => cursor})) }
    end
  end

  def test_aggregation
    handler = PlanHandler.new
    context = StepData.context(dependencies: {'plan' => {'result' => {'n' => 1}}, 'work_001' => {'result' => {'sum' => 2}}, 'work_002' => {'result' => {'sum' => 3}}})
    scenario = handler.detect_aggregation_scenario(context.dependency_results, 'plan', 'work_')
    assert_equal [:with_batches, 2, 1], [scenario.type, scenario.worker_count, scenario.batchable_result[:n]]
    result = handler.aggregate_batch_worker_results(scenario) { |results| {sum: results.values.sum { |value| value['sum'] }} }
    assert_equal({'sum' => 5, 'worker_count' => 2, 'scenario' => 'with_batches'}, result.result)
    none = handler.detect_aggregation_scenario(context.dependency_results, 'plan', 'other_')
    assert none.no_batches?
    assert_equal 0, handler.aggregate_batch_worker_results(none, zero_metrics: {'sum' => 0}).result['sum']
    assert_equal 2, handler.get_dependency_result(context.dependency_results, 'work_001', 'sum')
  end

  def test_handler_files_may_reopen_the_modules
    code = <<~RUBY
      require 'tasker_core'
      module TaskerCore
        module BatchProcessing; end
        module Examples
          class CsvHandler < StepHandler::Batchable
            def call(context) = success(result: {'ok' => true})
          end
        end
      end
      raise unless TaskerCore::Examples::CsvHandler.new.call(nil).success?
      raise unless TaskerCore::Handlers::Steps.create(TaskerCore::Handlers::Steps::API).is_a?(TaskerCore::StepHandler::Api)
    RUBY
    assert system('ruby', '-W', '-I', File.expand_path('../../lib', __dir__), '-e', code)
  end
end
