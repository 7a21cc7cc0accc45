# frozen_string_literal: true

module TaskerCore
  # A Hash whose String and Symbol keys are the same key, in nested hashes and arrays too. Keys are stored as
  # Strings. Handlers read task contexts, step inputs and dependency results through it.
  class IndifferentHash < Hash
    class << self
      # @param value [Object] hashes become {IndifferentHash}, also inside arrays; anything else stays
      # @return [Object]
      def wrap(value)
        case value
        when IndifferentHash then value
        when Hash then allocate.replace_with(value)
        when Array then value.any? { |item| Hash === item || Array === item } ? value.map { |item| wrap(item) } : value
        else value
        end
      end

      # @return [IndifferentHash]
      def [](*pairs)
        wrap(Hash[*pairs])
      end
    end

    # @param source [Hash, Object] initial entries, or the default value as for Hash
    def initialize(source = nil, &block)
      return super(&block) if block || source.nil?
      return super(source) unless source.is_a?(Hash)

      super()
      replace_with(source)
    end

    alias_method :plain_store, :[]=
    alias_method :plain_replace, :replace
    private :plain_store, :plain_replace

    def [](key) = super(text(key))
    def []=(key, value)
      plain_store(text(key), IndifferentHash.wrap(value))
    end
    alias_method :store, :[]=

    def key?(key) = super(text(key))
    alias_method :has_key?, :key?
    alias_method :include?, :key?
    alias_method :member?, :key?

    def fetch(key, *default, &block) = super(text(key), *default, &block)
    def delete(key, &block) = super(text(key), &block)
    def values_at(*keys) = super(*keys.map { |key| text(key) })
    def fetch_values(*keys, &block) = super(*keys.map { |key| text(key) }, &block)
    def assoc(key) = super(text(key))
    def default(key = nil) = key.nil? ? super() : super(text(key))

    def dig(key, *rest)
      value = self[key]
      rest.empty? || value.nil? ? value : value.dig(*rest)
    end

    def update(*others, &block)
      others.each do |other|
        other.to_hash.each_pair do |key, value|
          self[key] = block && key?(key) ? block.call(text(key), self[key], value) : value
        end
      end
      self
    end
    alias_method :merge!, :update

    def merge(*others, &block) = dup.update(*others, &block)
    def replace(other) = super(IndifferentHash.wrap(other.to_hash))
    def slice(*keys) = IndifferentHash.wrap(super(*keys.map { |key| text(key) }))
    def except(*keys) = dup.tap { |copy| keys.each { |key| copy.delete(key) } }
    def select(&block) = block ? dup.tap { |copy| copy.select!(&block) } : to_enum(:select)
    alias_method :filter, :select
    def reject(&block) = block ? dup.tap { |copy| copy.reject!(&block) } : to_enum(:reject)
    def compact = reject { |_, value| value.nil? }
    def transform_values(&block) = block ? dup.tap { |copy| copy.transform_values!(&block) } : to_enum(:transform_values)

    def dup = self.class.new.replace_with(self, default_proc || default)

    # @return [Hash] plain, with String keys, nested ones too
    def to_hash = plain(self)
    def to_h(&block) = block ? super : to_hash

    # @return [Hash] plain, with Symbol keys; nested hashes as they are
    def symbolize_keys = each_with_object({}) { |(key, value), copy| copy[symbol(key)] = value }
    alias_method :to_options, :symbolize_keys
    # @return [Hash] plain, with Symbol keys, nested ones too
    def deep_symbolize_keys = deep_symbolized(self)
    def stringify_keys = dup
    def deep_stringify_keys = dup
    def with_indifferent_access = dup
    def deconstruct_keys(_keys) = symbolize_keys

    # Fills a new hash. Copying the table first and then replacing only nested values is several times cheaper for
    # parsed JSON than storing entry by entry.
    # @api private
    def replace_with(source, default = nil)
      nested = nil
      source.each_pair do |key, value|
        return refill(source, default) unless String === key

        (nested ||= []) << key if Hash === value || Array === value
      end
      plain_replace(source)
      nested&.each { |key| plain_store(key, IndifferentHash.wrap(source[key])) }
      default.nil? ? self : set_default(default)
    end

    private

    def refill(source, default)
      source.each_pair { |key, value| plain_store(text(key), IndifferentHash.wrap(value)) }
      set_default(default)
    end

    def set_default(default)
      default.is_a?(Proc) ? self.default_proc = default : (self.default = default unless default.nil?)
      self
    end

    def text(key) = Symbol === key ? key.name : key
    def symbol(key) = key.respond_to?(:to_sym) ? key.to_sym : key

    def plain(value)
      case value
      when Hash then value.each_with_object({}) { |(key, item), copy| copy[key] = plain(item) }
      when Array then value.map { |item| plain(item) }
      else value
      end
    end

    def deep_symbolized(value)
      case value
      when Hash then value.each_with_object({}) { |(key, item), copy| copy[symbol(key)] = deep_symbolized(item) }
      when Array then value.map { |item| deep_symbolized(item) }
      else value
      end
    end
  end
end
