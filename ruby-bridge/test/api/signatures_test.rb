# frozen_string_literal: true

require_relative '../test_helper'

# The signatures in sig/ are consistent, and describe what exists. Needs the rbs gem, which comes with most Rubies.
class SignaturesTest < Minitest::Test
  FOLDER = File.expand_path('../../sig', __dir__)

  def setup
    require 'rbs'
  rescue LoadError
    skip 'the rbs gem is not installed'
  end

  def test_signatures_describe_what_exists
    loader = RBS::EnvironmentLoader.new
    loader.add(path: Pathname(FOLDER))
    environment = RBS::Environment.from_loader(loader).resolve_type_names
    builder = RBS::DefinitionBuilder.new(env: environment)
    ours = environment.class_decls.keys.select { |name| name.to_s.start_with?('::TaskerCore') }
    assert_operator ours.size, :>, 50
    ours.each { |name| compare(Object.const_get(name.to_s), name, builder) }
  end

  private

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
