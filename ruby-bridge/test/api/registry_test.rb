# frozen_string_literal: true

require 'tmpdir'
require_relative '../test_helper'

class RegistryTest < Minitest::Test
  Registry = TaskerCore::Registry
  Definition = TaskerCore::Types::HandlerDefinition

  class ChargeHandler < TaskerCore::StepHandler::Base
    def call(_context) = success(result: config)
    def refund(_context) = success(result: 'refunded')
  end

  class PlainHandler
    attr_reader :given

    def initialize(config: {})
      @given = config
    end

    def call(_context) = 1
  end

  class BareHandler
    def call(_context) = 2
  end

  class PaymentsResolver < Registry::Resolvers::RegistryResolver
    handles_prefix 'pay.'
    handles_pattern(/\Abill-\d+\z/)
    priority_value 20
    register_handler 'pay.charge', BareHandler
  end

  def setup = @chain = Registry::ResolverChain.default

  def test_definition
    definition = Definition.new(callable: 'x')
    assert_equal [{}, nil, nil, 'call', false, false],
                 [definition.initialization, definition.handler_method, definition.resolver, definition.effective_method, definition.uses_method_dispatch?, definition.has_resolver_hint?]
    assert_equal({callable: 'x', initialization: {}, handler_method: nil, resolver: nil}, definition.to_h)
    assert_raises(ArgumentError) { Definition.new }
    assert_raises(ArgumentError) { Definition.new(callable: 'x', wrong: 1) }
  end

  def test_explicit_names_come_first_and_config_is_passed
    @chain.register('charge', PlainHandler)
    handler = @chain.resolve(Definition.new(callable: 'charge', initialization: {'a' => 1}))
    assert_equal({'a' => 1}, handler.given)
    refute_same handler, @chain.resolve(Definition.new(callable: 'charge'))
    @chain.register('bare', BareHandler)
    assert_equal 2, @chain.resolve(Definition.new(callable: 'bare')).call(nil)
    @chain.register('proc', ->(_context) { 3 })
    assert_equal 3, @chain.resolve(Definition.new(callable: 'proc')).call(nil)
    assert_equal 3, @chain.explicit_resolver.size
    assert_same BareHandler, @chain.explicit_resolver.unregister('bare')
    assert_nil @chain.resolve(Definition.new(callable: 'bare'))
  end

  def test_class_constants
    assert_instance_of ChargeHandler, @chain.resolve(Definition.new(callable: 'RegistryTest::ChargeHandler'))
    assert_nil @chain.resolve(Definition.new(callable: 'RegistryTest::Missing'))
    assert_nil @chain.resolve(Definition.new(callable: 'Kernel'))
    assert_nil @chain.resolve(Definition.new(callable: 'File; exit'))
  end

  def test_method_dispatch
    handler = @chain.resolve(Definition.new(callable: 'RegistryTest::ChargeHandler', handler_method: 'refund'))
    assert_equal 'refunded', handler.call(nil).result
    assert handler.wraps?(ChargeHandler)
    assert_equal [:refund, ChargeHandler], [handler.target_method, handler.handler_class]
    assert_equal 'charge_handler', handler.handler_name
    assert_nil @chain.resolve(Definition.new(callable: 'RegistryTest::ChargeHandler', handler_method: 'missing'))
    assert_nil @chain.resolve(Definition.new(callable: 'RegistryTest::ChargeHandler', handler_method: 'instance_eval'))
  end

  def test_own_resolvers_and_hints
    @chain.add_resolver(PaymentsResolver.new)
    assert_equal %w[explicit_mapping payments_resolver class_constant], @chain.resolver_names
    assert_instance_of BareHandler, @chain.resolve(Definition.new(callable: 'pay.charge'))
    assert @chain.can_resolve?(Definition.new(callable: 'bill-7'))
    assert_nil @chain.resolve(Definition.new(callable: 'pay.charge', resolver: 'class_constant'))
    assert_raises(Registry::ResolverNotFoundError) { @chain.resolve(Definition.new(callable: 'x', resolver: 'nobody')) }
    assert_includes @chain.registered_callables, 'pay.charge'
    @chain.remove_resolver('payments_resolver')
    assert_nil @chain.resolve(Definition.new(callable: 'pay.charge'))
  end

  def test_registry
    registry = Registry::HandlerRegistry.send(:new)
    registry.register('RegistryTest::ChargeHandler', ChargeHandler)
    assert registry.handler_available?('RegistryTest::ChargeHandler')
    assert_instance_of ChargeHandler, registry.resolve_handler('ChargeHandler'), 'modules may be left out'
    refute registry.handler_available?('harge')
    wrapper = TaskerCore::Models::HandlerWrapper.new({'callable' => 'RegistryTest::ChargeHandler', 'method' => 'refund'})
    assert_equal 'refunded', registry.resolve(wrapper).call(nil).result
    assert_nil registry.resolve_handler('nobody')
  end

  def test_loader_takes_the_three_patterns_or_everything_and_skips_broken_files
    Dir.mktmpdir do |folder|
      write = lambda do |path, text|
        FileUtils.mkdir_p(File.dirname(File.join(folder, path)))
        File.write(File.join(folder, path), text)
      end
      write.call('examples/a/ok_handler.rb', "module LoadTest; class OkHandler < TaskerCore::StepHandler::Base; def call(c) = 1; end; end")
      write.call('examples/a/model.rb', 'raise "not loaded"')
      write.call('examples/broken_handler.rb', 'def (')
      write.call('examples/raising_handler.rb', 'raise "at load"')
      write.call('dsl_examples/any.rb', "include TaskerCore::StepHandler::Functional\nLoadDsl = step_handler('load.dsl') { |**| {} }")
      registry = Registry::HandlerRegistry.send(:new)
      loader = TaskerCore::Internal::HandlerLoader.new(registry)
      _, errors = capture_io { loader.load([folder]) }
      assert_empty %w[LoadTest::OkHandler ok_handler load.dsl LoadDsl] - registry.registered_handlers
      assert_equal %w[broken_handler.rb raising_handler.rb], loader.skipped.map { |file| File.basename(file) }
      assert_includes errors, 'at load'
      assert_raises(TaskerCore::Errors::ConfigurationError) { loader.load([File.join(folder, 'missing')]) }
    end
  end
end
