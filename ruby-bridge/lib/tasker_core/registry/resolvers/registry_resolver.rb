# frozen_string_literal: true

module TaskerCore
  module Registry
    module Resolvers
      # Base of resolvers that an application writes: says by pattern, prefix or list which callables are its own.
      class RegistryResolver < BaseResolver
        class << self
          # @param regex [Regexp] callables this resolver answers for
          def handles_pattern(regex) = patterns << regex
          # @param text [String] beginning of callables this resolver answers for
          def handles_prefix(text) = prefixes << text
          # @param key [String] one callable
          def register_handler(key, handler) = entries[key.to_s] = handler
          def priority_value(number) = @priority = number
          def resolver_name(text) = @resolver_name = text

          # @api private
          def patterns = @patterns ||= []
          # @api private
          def prefixes = @prefixes ||= []
          # @api private
          def entries = @entries ||= {}
          # @api private
          def priority = @priority || 50
          # @api private
          def name_of_resolver = @resolver_name || Internal::Names.last_segment(name)
        end

        def name = self.class.name_of_resolver
        def priority = self.class.priority
        def registered_callables = self.class.entries.keys

        def can_resolve?(definition, _config = {})
          callable = definition.callable.to_s
          self.class.entries.key?(callable) || self.class.prefixes.any? { |prefix| callable.start_with?(prefix) } ||
            self.class.patterns.any? { |pattern| pattern.match?(callable) }
        end

        def resolve(definition, config = {}) = resolve_handler(definition, config)

        # To be overridden when handlers are not simply listed.
        # @return [Object, nil]
        def resolve_handler(definition, _config = {})
          handler = self.class.entries[definition.callable.to_s]
          handler && Instantiation.instance_of(handler, definition)
        end
      end
    end
  end
end
