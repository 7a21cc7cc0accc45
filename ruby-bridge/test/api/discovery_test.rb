# frozen_string_literal: true

require 'open3'
require 'rbconfig'
require 'tmpdir'
require_relative '../test_helper'

# Templates, handlers that they ask for, and the test environment; each in a process and a folder of its own.
class DiscoveryTest < Minitest::Test
  LIB = File.expand_path('../../lib', __dir__)
  TEMPLATE = <<~YAML
    name: order
    namespace_name: shop
    version: 1.1.0
    description: Orders
    steps:
      - name: charge
        handler: {callable: Shop::ChargeHandler, initialization: {currency: EUR}, method: run}
        retry: {max_attempts: 5, backoff: linear}
        depends_on: [validate]
      - name: validate
        step_type: decision
        handler: {callable: ValidateHandler}
      - name: dotted
        handler: {callable: shop.dotted}
  YAML

  def test_parser_and_types
    in_folder('config/tasks/order.yaml' => TEMPLATE, 'config/tasks/deep/broken.yml' => 'steps: [', 'config/tasks/note.txt' => 'x') do |folder|
      answer = run_ruby(folder, <<~'RUBY')
        include TaskerCore::TemplateDiscovery
        file = File.expand_path('config/tasks/order.yaml')
        template = TemplateParser.parse(file)
        charge = template.step('charge')
        [TemplatePath.find_template_config_directory == File.expand_path('config/tasks'),
         TemplatePath.discover_template_files.map { |path| File.basename(path) },
         TemplateParser.extract_handler_callables(file),
         TemplateParser.extract_template_metadata(file).slice(:name, :namespace, :version, :description),
         TemplateParser.extract_template_metadata(File.expand_path('config/tasks/deep/broken.yml')),
         HandlerDiscovery.discover_all_handlers, HandlerDiscovery.discover_handlers_by_namespace,
         HandlerDiscovery.discover_template_metadata.size,
         [template.task_key, template.handler_callables.size, charge.handler.effective_method, charge.retry.max_attempts, charge.retry.limit,
          charge.retry.retryable, charge.depends_on?('validate'), template.step('validate').type, template.step('nobody')],
         TaskerCore::Registry::HandlerRegistry.instance.template_discovery_info.slice(:template_path, :environment).keys]
      RUBY
      callables = %w[Shop::ChargeHandler ValidateHandler shop.dotted]
      assert_equal [true, %w[broken.yml order.yaml], callables, {'name' => 'order', 'namespace' => 'shop', 'version' => '1.1.0', 'description' => 'Orders'}, {},
                    callables, {'shop' => callables}, 1, ['shop/order:1.1.0', 3, 'run', 5, 5, true, true, 'decision', nil], %w[template_path environment]], answer
    end
  end

  def test_registry_finds_handlers_of_templates_at_its_first_use
    in_folder('config/tasks/order.yaml' => TEMPLATE,
              'app/handlers/shop/charge_handler.rb' => handler('Shop', 'ChargeHandler'),
              'lib/handlers/validate_handler.rb' => handler('Anywhere', 'ValidateHandler')) do |folder|
      assert_equal [%w[Shop::ChargeHandler ValidateHandler], 'Anywhere::ValidateHandler', true, false, nil], run_ruby(folder, <<~RUBY)
        registry = TaskerCore::Registry::HandlerRegistry.instance
        [registry.registered_handlers, registry.resolve_handler('ValidateHandler').class.name, registry.handler_available?('Shop::ChargeHandler'),
         registry.handler_available?('shop.dotted'), registry.resolve('shop.dotted')]
      RUBY
    end
  end

  def test_registry_loads_the_variables_folder
    in_folder('mine/a_handler.rb' => handler('Mine', 'AHandler'), 'mine/dsl.rb' => "include TaskerCore::StepHandler::Functional\nDslHandler = step_handler('mine.dsl') { |**| {} }") do |folder|
      assert_equal %w[DslHandler Mine::AHandler a_handler mine.dsl],
                   run_ruby(folder, 'TaskerCore::Registry::HandlerRegistry.instance.bootstrap_handlers!', {'RUBY_HANDLER_PATH' => 'mine'})
    end
  end

  def test_places_of_templates_in_order
    in_folder('.git' => '', 'config/tasks/a.yaml' => 'name: a', 'work/config/tasks/b.yaml' => 'name: b', 'given/c.yaml' => 'name: c', 'sub/x' => '') do |folder|
      find = 'TaskerCore::TemplateDiscovery::TemplatePath.find_template_config_directory'
      assert_equal File.join(folder, 'config/tasks'), run_ruby(File.join(folder, 'sub'), find)
      assert_equal File.join(folder, 'work/config/tasks'), run_ruby(File.join(folder, 'sub'), find, {'WORKSPACE_PATH' => File.join(folder, 'work')})
      assert_equal File.join(folder, 'given'), run_ruby(File.join(folder, 'sub'), find, {'WORKSPACE_PATH' => 'work', 'TASKER_TEMPLATE_PATH' => File.join(folder, 'given')})
    end
  end

  def test_environment_file
    in_folder('.env' => "PLAIN=a b # comment\nexport QUOTED=\"line\\nnext\"\nSINGLE='# kept'\nSET=other\n=bad\n") do |folder|
      assert_equal ['a b', "line\nnext", '# kept', 'before'], run_ruby(folder, 'ENV.values_at("PLAIN", "QUOTED", "SINGLE", "SET")', {'SET' => 'before'})
    end
  end

  # The examples lie in the gem's own folder, so a copy of the gem gets some.
  def test_test_environment_loads_the_examples_of_the_gem
    in_folder('spec/handlers/examples/a/one_handler.rb' => handler('Examples', 'OneHandler'), 'spec/handlers/examples/broken_handler.rb' => 'raise "no"',
              'spec/handlers/examples/model.rb' => 'raise "not loaded"', 'spec/fixtures/templates/t.yaml' => "name: t\nsteps: []",
              'spec/handlers/dsl_examples/two.rb' => "include TaskerCore::StepHandler::Functional\nTwoHandler = step_handler('two.dsl') { |**| {} }") do |folder|
      FileUtils.cp_r(LIB, folder)
      code = <<~RUBY
        environment = TaskerCore::TestEnvironment
        registry = TaskerCore::Registry::HandlerRegistry.instance
        [environment.active?, environment.loaded?, environment.load_if_test!, environment.handler_names, environment.subscriber_names, environment.subscriber_count,
         environment.info[:files].size, ENV['TASKER_TEMPLATE_PATH'].to_s.end_with?('spec/fixtures/templates'), registry.registered_handlers]
      RUBY
      lib = File.join(folder, 'lib')
      expected = [true, true, true, %w[Examples::OneHandler TwoHandler], [], 0, 2, true, %w[Examples::OneHandler TwoHandler one_handler two.dsl]]
      assert_equal expected, run_ruby(folder, code, {'TASKER_ENV' => 'test'}, lib: lib)
      assert_equal expected, run_ruby(folder, code, {'TASKER_FORCE_EXAMPLE_HANDLERS' => 'true'}, lib: lib)
      assert_equal [false, false, false, [], [], 0, 0, false], run_ruby(folder, code, {'RAILS_ENV' => 'test', 'TASKER_SKIP_EXAMPLE_HANDLERS' => 'true'}, lib: lib).first(8)
    end
  end

  def test_messages_and_completions
    types = TaskerCore::Types
    simple = types::SimpleStepMessage.from_hash({'task_uuid' => 't', 'step_uuid' => 's', 'more' => 1})
    assert_equal({task_uuid: 't', step_uuid: 's', correlation_id: nil}, simple.to_h)
    message = types::StepMessage.new(task_uuid: 't', step_uuid: 's', namespace: 'n')
    assert_equal ['n', {}, 't'], [message.namespace, message.step_payload, message.task_uuid]
    completion = types::StepCompletion.from_hash({'event_id' => 'e', 'task_uuid' => 't', 'step_uuid' => 's', 'success' => true, 'result' => 1})
    assert_equal [true, 1, {}, nil], [completion.success?, completion.result, completion.metadata, completion.error_message]
    assert_raises(ArgumentError) { types::StepCompletion.from_hash({'event_id' => 'e'}) }
    assert_same types::ClientTaskResponse, types::TaskResponse
    assert_equal ['exponential', 1000, 30_000], types::RetryConfiguration.new.then { |one| [one.backoff, one.backoff_base_ms, one.max_backoff_ms] }
  end

  private

  def handler(space, name) = "module #{space}; class #{name} < TaskerCore::StepHandler::Base; def call(context) = success(result: 1); end; end"

  def in_folder(files)
    Dir.mktmpdir do |folder|
      folder = File.realpath(folder)
      files.each do |path, text|
        full = File.join(folder, path)
        FileUtils.mkdir_p(File.dirname(full))
        File.write(full, text)
      end
      yield folder
    end
  end

  def run_ruby(folder, code, env = {}, lib: LIB)
    clean = %w[TASKER_ENV RAILS_ENV TASKER_TEMPLATE_PATH WORKSPACE_PATH RUBY_HANDLER_PATH].to_h { |name| [name, nil] }
    out, err, status = Open3.capture3({**clean, **env}, RbConfig.ruby, '-W', '-I', lib, '-e', "require 'tasker_core'\nputs JSON.generate([begin\n#{code}\nend])", chdir: folder)
    assert_predicate status, :success?, err
    JSON.parse(out).first
  end
end
