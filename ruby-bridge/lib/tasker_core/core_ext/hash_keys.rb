# frozen_string_literal: true

require_relative '../indifferent_hash'

class Hash
  # @return [Hash] with Symbol keys
  def symbolize_keys = transform_keys { |key| key.respond_to?(:to_sym) ? key.to_sym : key }
  # @return [Hash] with String keys
  def stringify_keys = transform_keys(&:to_s)
  # @return [Hash] with Symbol keys, in nested hashes and arrays too
  def deep_symbolize_keys = deep_transform_keys { |key| key.respond_to?(:to_sym) ? key.to_sym : key }
  # @return [Hash] with String keys, in nested hashes and arrays too
  def deep_stringify_keys = deep_transform_keys(&:to_s)
  # @return [TaskerCore::IndifferentHash]
  def with_indifferent_access = TaskerCore::IndifferentHash.new(self)

  # @return [Hash] with keys changed by the block, in nested hashes and arrays too
  def deep_transform_keys(&block)
    convert = lambda do |value|
      case value
      when Hash then value.each_with_object({}) { |(key, item), copy| copy[block.call(key)] = convert.call(item) }
      when Array then value.map(&convert)
      else value
      end
    end
    convert.call(self)
  end

  # @return [Hash] nested hashes merged key by key
  def deep_merge(other)
    merge(other) { |_, mine, theirs| mine.is_a?(Hash) && theirs.is_a?(Hash) ? mine.deep_merge(theirs) : theirs }
  end
end
