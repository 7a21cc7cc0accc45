# frozen_string_literal: true

require_relative '../test_helper'
require 'tasker'
require 'tasker_core/testing'

# The signatures in sig/ are consistent, and describe what exists. Needs the rbs gem, which comes with most Rubies.
class SignaturesTest < Minitest::Test
  FOLDER = File.expand_path('../../sig', __dir__)

  def setup
    require 'rbs'
  rescue LoadError
    skip 'the rbs gem is not installed'
  end

  def test_signatures_describe_what_exists
    ours = environment.class_decls.keys.select { |name| name.to_s.start_with?('::Tasker') }
    assert_operator ours.size, :>, 100
    ours.each { |name| compare(Object.const_get(name.to_s), name, builder) }
  end

  def test_every_name_of_the_contract_has_a_signature
    rows = JSON.parse(File.read(File.expand_path('../../../test/conformance/contract/ruby.json', __dir__)))['rows'].reject { |row| row['reason'] }
    missing = rows.flat_map { |row| row['members'].map { |member| [row['name'], member] } }.reject { |name, member| signed?(name, member) }
    assert_empty missing.map(&:join)
  end

  private

  def environment
    @environment ||= RBS::EnvironmentLoader.new.tap { |loader| loader.add(path: Pathname(FOLDER)) }
                                           .then { |loader| RBS::Environment.from_loader(loader).resolve_type_names }
  end

  def builder = @builder ||= RBS::DefinitionBuilder.new(env: environment)

  def signed?(name, member)
    type = type_name(name)
    method = member[/\A(?:#|\.|::)(\[\]|\w+[?!]?)/, 1]
    case member
    when /\A::/ then environment.constant_decls.key?(type_name("#{name}::#{method}"))
    when /\A#/ then builder.build_instance(type).methods.key?(method.to_sym)
    else builder.build_singleton(type).methods.key?(method.to_sym)
    end
  rescue StandardError
    false
  end

  # Other names of a class are constants to RBS.
  def type_name(name)
    real = Object.const_defined?(name) && Object.const_get(name).is_a?(Module) ? Object.const_get(name).name : name
    *spaces, last = real.split('::')
    RBS::TypeName.new(name: last.to_sym, namespace: RBS::Namespace.new(path: spaces.map(&:to_sym), absolute: true))
  end

  def compare(constant, name, builder)
    builder.build_instance(name).methods.each do |method, definition|
      next unless definition.defined_in == name && definition.accessibility == :public && method != :initialize

      assert constant.method_defined?(method) || constant.private_method_defined?(method), "#{name}##{method} is not defined"
    end
    builder.build_singleton(name).methods.each do |method, definition|
      next unless definition.defined_in == name && method != :new

      assert_respond_to constant, method, "#{name}.#{method} is not defined"
    end
  end
end
