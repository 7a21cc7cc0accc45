# frozen_string_literal: true

require 'tmpdir'
require_relative '../test_helper'
require_relative 'step_data'

class FunctionalTest < Minitest::Test
  F = TaskerCore::StepHandler::Functional
  # A model as applications write them: known attributes, keyword construction.
  class Order
    ATTRIBUTES = %i[total currency].freeze
    def self.attribute_names = ATTRIBUTES
    attr_reader :total, :currency

    def initialize(total:, currency: 'EUR')
      @total = total
      @currency = currency
    end

    def validate! = total.negative? && raise(TaskerCore::PermanentError, 'negative')
  end

  def run_step(klass, **parts) = klass.new(config: {}).call(StepData.context(**parts))

  def test_arguments_and_wrapping
    handler = F.step_handler('shop.total', depends_on: {cart: 'validate', order: ['price', Order]}, inputs: [:tax, 'tip']) do |cart:, order:, tax:, tip:, context:|
      {cart: cart['n'], total: order.total, currency: order.currency, tax: tax, tip: tip, step: context.step_name}
    end
    result = run_step(handler, context: {'tax' => 2}, dependencies: {'validate' => {'result' => {'n' => 1}}, 'price' => {'result' => {'total' => 9, 'unknown' => 1}}})
    assert_equal({cart: 1, total: 9, currency: 'EUR', tax: 2, tip: nil, step: 'charge'}, result.result)
    assert_equal 'shop.total', handler.new.handler_name
    assert_equal '1.0.0', handler.const_get(:VERSION)
  end

  def test_return_values
    assert_equal({}, run_step(F.step_handler('a') { |**| nil }).result)
    assert_equal({}, run_step(F.step_handler('a') { |**| 5 }).result)
    assert_equal({a: 1}, run_step(F.step_handler('a') { |**| Struct.new(:a).new(1) }).result)
    assert_equal({early: true}, run_step(F.step_handler('a') { |context:| next({early: true}) if context; {} }).result)
    assert run_step(F.step_handler('a') { |**| TaskerCore::Types::StepHandlerCallResult.checkpoint_yield(cursor: 1, items_processed: 1) }).checkpoint?
    assert_raises(ArgumentError) { F.step_handler('a') }
  end

  def test_exceptions_and_strict_keywords
    assert_equal 'PermanentError', run_step(F.step_handler('a') { |**| raise TaskerCore::PermanentError, 'x' }).error_type
    strict = run_step(F.step_handler('a', inputs: [:x]) { |context:| {} })
    assert_equal ['UnexpectedError', true, 'ArgumentError'], [strict.error_type, strict.retryable, strict.metadata[:exception_class]]
  end

  def test_input_models
    handler = F.step_handler('a', inputs: Order) { |inputs:, context:| {total: inputs.total} }
    assert_equal({total: 4}, run_step(handler, context: {'total' => 4}).result)
    assert_equal 'PermanentError', run_step(handler, context: {'total' => -4}).error_type
  end

  def test_decisions
    route = F.decision_handler('d') { |context:| context.get_input('go') ? F::Decision.route(%w[a b], why: 'x') : F::Decision.skip('no need', n: 1) }
    assert_equal({routing_context: {why: 'x'}, decision_point_outcome: {type: 'create_steps', step_names: %w[a b]}}, run_step(route, context: {'go' => true}).result)
    assert_equal({reason: 'no need', routing_context: {n: 1}, decision_point_outcome: {type: 'no_branches'}}, run_step(route).result)
  end

  def test_batches
    analyzer = F.batch_analyzer('b', worker_template: 'work') { |context:| F::BatchConfig.new(total_items: context.get_input('n'), batch_size: 4) }
    result = run_step(analyzer, context: {'n' => 10}).result
    assert_equal ['work', 3, 10], result['batch_processing_outcome'].values_at('worker_template_name', 'worker_count', 'total_items')
    assert_equal 'UnexpectedError', run_step(analyzer, context: {'n' => 0}).error_type

    worker = F.batch_worker('w') { |batch_context:, context:| {items: batch_context.end_cursor - batch_context.start_cursor} }
    assert_equal({items: 4}, run_step(worker, inputs: {'cursor' => {'batch_id' => '001', 'start_cursor' => 0, 'end_cursor' => 4}}).result)
  end

  def test_api_handler_gets_itself
    handler = F.api_handler('h', base_url: 'http://localhost:1', timeout: 3) { |api:, context:| {url: api.config['url'], timeout: api.config['timeout']} }
    assert_equal({url: 'http://localhost:1', timeout: 3}, run_step(handler).result)
  end

  def test_top_level_include_in_several_files
    Dir.mktmpdir do |folder|
      %w[one two].each do |name|
        File.write(File.join(folder, "#{name}.rb"), <<~RUBY)
          include TaskerCore::StepHandler::Functional
          #{name.capitalize}Handler = decision_handler('#{name}') { |**| Decision.skip('#{name}') }
          #{name.capitalize}PlanHandler = batch_analyzer('#{name}_plan', worker_template: 'w') { |**| BatchConfig.new(total_items: 1, batch_size: 1) }
        RUBY
      end
      code = <<~RUBY
        require 'tasker_core'
        TaskerCore::Internal::HandlerLoader.new.load([#{folder.inspect}])
        names = TaskerCore::Registry::HandlerRegistry.instance.registered_handlers
        raise names.inspect unless names == %w[OneHandler OnePlanHandler TwoHandler TwoPlanHandler one one_plan two two_plan]
        raise unless Object.private_method_defined?(:step_handler)
        raise unless TaskerCore::Registry::HandlerRegistry.instance.resolve_handler('two').call(TaskerCore::Types::StepContext.new({'task' => {}})).success?
        raise unless TaskerCore::StepHandler::Mixins::Decision.instance_method(:decision_success)
      RUBY
      assert system('ruby', '-W', '-I', File.expand_path('../../lib', __dir__), '-e', code)
    end
  end
end
