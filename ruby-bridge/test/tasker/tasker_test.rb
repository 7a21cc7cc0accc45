# frozen_string_literal: true

require_relative '../test_helper'
require_relative '../api/step_data'
require_relative '../client/rest_server'
require_relative '../runtime/child_worker'
require 'tasker'

# The surface of the original gem: `require "tasker"`.
class TaskerTest < Minitest::Test
  include HandlerFiles

  class OrderProcess < Tasker::TaskHandler::Base
    register_handler 'process_order', namespace_name: 'shop', version: '1.2.0'

    define_step_templates do |templates|
      templates.define(name: 'validate_order', description: 'Looks', handler_config: {strict: true})
      templates.define(name: 'charge', depends_on_step: 'validate_order', handler_class: 'TaskerTest::OrderProcess::ChargeHandler',
                       retryable: false, retry_limit: 5, timeout: 1500)
      templates.define(name: 'notify', depends_on_step: %w[validate_order charge], handler_class: 'Elsewhere::Notify')
    end

    def schema = {'type' => 'object', 'required' => ['order_id']}

    class ValidateOrderHandler < Tasker::StepHandler::Base
      def process(task, _sequence, step) = {id: task.context['order_id'], step: step.name, strict: config['strict']}
    end

    class ChargeHandler < Tasker::StepHandler::Base
      def process(task, sequence, _step)
        raise Tasker::RetryableError.new('later', delay: 90.seconds) if task.context['how'] == 'later'
        raise Tasker::PermanentError.new('never', error_code: 'NO') if task.context['how'] == 'never'
        raise KeyError, 'oops' if task.context['how'] == 'oops'
        return nil if task.context['how'] == 'nil'

        {charged: step_results(sequence, 'validate_order')['id'], items: step_results(sequence, :validate_order)[:items]}
      end
    end
  end

  def charge(how = nil)
    context = StepData.context(context: {'how' => how}, dependencies: {'validate_order' => {'result' => {'id' => 7, 'items' => [1]}}})
    OrderProcess::ChargeHandler.new.call(context)
  end

  def test_a_step_gets_task_sequence_and_step
    context = StepData.context(context: {'order_id' => 7}, initialization: {'strict' => true})
    result = OrderProcess::ValidateOrderHandler.new(config: {'strict' => true}).call(context)
    assert_equal({id: 7, step: 'charge', strict: true}, result.result)
    assert_equal({charged: 7, items: [1]}, charge.result)
    assert_equal({}, charge('nil').result)
    assert_raises(NotImplementedError) { Tasker::StepHandler::Base.new.process(nil, nil, nil) }
  end

  def test_only_a_retryable_error_is_retried
    later = assert_raises(Tasker::RetryableError) { charge('later') }
    assert_equal [90.0, 90.0, true], [later.delay, later.retry_after, retryable?(later)]
    assert_equal 1.5, Tasker::RetryableError.new('x', delay: 1.5).retry_after
    assert_nil Tasker::RetryableError.new('x').retry_after
    refute retryable?(assert_raises(Tasker::PermanentError) { charge('never') })
    refute retryable?(assert_raises(KeyError) { charge('oops') }), 'other errors are permanent in this layer'
    assert retryable?(KeyError.new('outside')), 'and nowhere else'
  end

  def test_template_has_the_yaml_shape
    template = TaskerCore::Internal::CodeTemplates.all.find { |one| one['name'] == 'process_order' }
    assert_equal ['shop', '1.2.0', {'type' => 'object', 'required' => ['order_id']}], template.values_at('namespace_name', 'version', 'input_schema')
    validate, charge, notify = template['steps']
    assert_equal({'name' => 'validate_order', 'description' => 'Looks', 'dependencies' => [],
                  'handler' => {'callable' => 'TaskerTest::OrderProcess::ValidateOrderHandler', 'initialization' => {'strict' => true}},
                  'retry' => {'retryable' => true, 'max_attempts' => 3}}, validate)
    assert_equal({'retryable' => false, 'max_attempts' => 5}, charge['retry'])
    assert_equal [2, ['validate_order']], charge.values_at('timeout_seconds', 'dependencies')
    assert_equal ['Elsewhere::Notify', %w[validate_order charge]], [notify['handler']['callable'], notify['dependencies']]
  end

  def test_factory_and_registry
    factory = Tasker::HandlerFactory.instance
    assert_includes factory.handlers.keys, 'shop/process_order'
    assert_instance_of OrderProcess, factory.get('process_order', namespace_name: 'shop')
    assert_instance_of OrderProcess, factory.get('process_order', namespace_name: 'shop', version: '1.2.0')
    error = assert_raises(TaskerCore::Errors::NotFoundError) { factory.get('process_ordr', namespace_name: 'shop') }
    assert_includes error.message, 'shop/process_order'
    assert_includes assert_raises(TaskerCore::Errors::NotFoundError) { factory.get('process_order', namespace_name: 'shop', version: '9.0.0') }.message, '1.2.0'
    registry = Tasker::HandlerRegistry.instance
    assert_includes registry.registered_handlers, 'shop/process_order'
    assert_equal ['process_order'], registry.handlers_for_namespace('shop')
    assert_empty registry.handlers_for_namespace('nowhere')
    info = registry.handler_info('process_order', namespace_name: 'shop')
    assert_equal ['1.2.0', ['order_id'], %w[validate_order charge notify]], [info[:version], info[:schema]['required'], info[:steps].map { |step| step[:name] }]
  end

  def test_versions_live_side_by_side_and_the_highest_answers
    classes = %w[1.9.0 1.10.0 1.10.0-rc.1 1.10.0-rc.2].to_h do |version|
      [version, Class.new(Tasker::TaskHandler::Base) { register_handler 'many', namespace_name: 'versions', version: version }]
    end
    factory = Tasker::HandlerFactory.instance
    assert_instance_of classes['1.10.0'], factory.get('many', namespace_name: 'versions')
    assert_instance_of classes['1.9.0'], factory.get('many', namespace_name: 'versions', version: '1.9.0')
    assert_equal %w[1.9.0 1.10.0-rc.1 1.10.0-rc.2 1.10.0], Tasker::HandlerRegistry.instance.handler_info('many', namespace_name: 'versions')[:versions]
    assert_equal '1.10.0', Tasker::Types::TaskRequest.new(name: 'many', namespace: 'versions', context: {}).version
    assert_equal '1.9.0', Tasker::Types::TaskRequest.new(name: 'many', namespace: 'versions', version: '1.9.0', context: {}).version
    plain = Class.new(Tasker::TaskHandler::Base) { register_handler 'plain' }
    assert_equal ['default', '0.1.0'], [plain.definition.namespace_name, plain.definition.version]
  end

  def test_mistakes_are_named
    base = Class.new(Tasker::TaskHandler::Base)
    {{version: 'one'} => 'version', {name: ''} => 'name'}.each do |bad, word|
      arguments = {name: 'x', version: '1.0.0', **bad}
      assert_includes assert_raises(ArgumentError) { base.register_handler(arguments[:name], version: arguments[:version]) }.message, word
    end
    {{retry_limit: 0} => 'retry_limit', {timeout: 'soon'} => 'timeout', {retryable: nil} => 'retryable'}.each do |bad, word|
      assert_includes assert_raises(ArgumentError) { base.define_step_templates { |t| t.define(name: 'a', **bad) } }.message, word
    end
    assert_raises(ArgumentError) { base.define_step_templates { |t| 2.times { t.define(name: 'a') } } }
    assert_raises(TaskerCore::Errors::ConfigurationError) { base.new.run_task(context: {}) }
  end

  def test_run_task_from_several_threads
    RestServer.run do |server|
      handler = Tasker::HandlerFactory.instance.get('process_order', namespace_name: 'shop')
      ids = Array.new(8) { |number| Thread.new { handler.run_task(context: {order_id: number}) } }.map(&:value)
      assert_equal 8, ids.uniq.size
      assert_equal [%w[shop process_order 1.2.0]], server.requests.map { |request| request.body.values_at('namespace', 'name', 'version') }.uniq
      assert_equal (0..7).to_a, server.requests.map { |request| request.body['context']['order_id'] }.sort
      assert_match(/\At-\d+\z/, handler.start(Tasker::Types::TaskRequest.new(name: 'many', namespace: 'shop', version: '3.0.0', context: {})))
    end
  end

  def test_registration_and_lookup_from_several_threads
    factory = Tasker::HandlerFactory.instance
    threads = Array.new(8) do |number|
      Thread.new do
        50.times do |version|
          Class.new(Tasker::TaskHandler::Base) { register_handler "t#{number}", namespace_name: 'threads', version: "1.0.#{version}" }
          factory.get("t#{number}", namespace_name: 'threads')
          factory.handlers.keys
        end
      end
    end
    threads.each(&:join)
    assert_equal 8, Tasker::HandlerRegistry.instance.handlers_for_namespace('threads').size
    8.times { |number| assert_equal 50, factory.versions("t#{number}", namespace_name: 'threads').size }
  end

  def test_a_process_declares_its_templates_and_runs_the_steps
    code = <<~RUBY
      require 'tasker'
      class Greeting < Tasker::TaskHandler::Base
        register_handler 'greet', namespace_name: 'tests', version: '2.0.0'
        define_step_templates { |templates| templates.define(name: 'say') }
        class SayHandler < Tasker::StepHandler::Base
          def process(task, sequence, step)
            raise ArgumentError, 'no name' unless task.context['name']
            {hello: task.context['name']}
          end
        end
      end
    RUBY
    with_handlers(code) do |folder|
      ChildWorker.run(handlers: [folder]) do |worker|
        templates = worker.handlers.filter_map { |entry| entry['template'] }
        assert_equal [%w[greet tests 2.0.0]], templates.map { |template| template.values_at('name', 'namespace_name', 'version') }
        refute(worker.handlers.any? { |entry| entry['callable'].to_s.start_with?('Tasker::') })
        assert_equal({'hello' => 'Ada'}, worker.answer(worker.step('Greeting::SayHandler', {'name' => 'Ada'}))[1])
        header, = worker.answer(worker.step('Greeting::SayHandler'))
        assert_equal ['no name', false], header.values_at('message', 'retryable')
      end
    end
  end

  private

  def retryable?(error) = TaskerCore::Errors::ErrorClassifier.retryable?(error)
end
