# frozen_string_literal: true

module TaskerCore
  module Registry
    # Asks resolvers in the order of their priority; the first that knows the handler makes it.
    class ResolverChain
      class << self
        # @return [ResolverChain] explicit mapping, then class constants
        def default
          new.add_resolver(Resolvers::ExplicitMappingResolver.new).add_resolver(Resolvers::ClassConstantResolver.new)
        end
      end

      def initialize
        @resolvers = [].freeze
        @lock = Mutex.new
      end

      # @return [self]
      def add_resolver(resolver)
        @lock.synchronize { @resolvers = (@resolvers + [resolver]).sort_by.with_index { |r, i| [r.priority, i] }.freeze }
        self
      end
      alias with_resolver add_resolver

      # @return [BaseResolver, nil] the one removed
      def remove_resolver(name)
        @lock.synchronize do
          removed = get_resolver(name)
          @resolvers = @resolvers.reject { |resolver| resolver.equal?(removed) }.freeze
          removed
        end
      end

      # @return [BaseResolver, nil]
      def get_resolver(name) = @resolvers.find { |resolver| resolver.name == name.to_s }
      # @return [Resolvers::ExplicitMappingResolver, nil]
      def explicit_resolver = @resolvers.find { |resolver| resolver.is_a?(Resolvers::ExplicitMappingResolver) }

      # @param definition [Types::HandlerDefinition, Models::HandlerWrapper]
      # @return [#call, nil]
      # @raise [ResolverNotFoundError] when the definition names an unknown resolver
      def resolve(definition, config = {})
        candidates(definition).each do |resolver|
          next unless resolver.can_resolve?(definition, config)

          handler = resolver.resolve(definition, config)
          return wrap_for_method_dispatch(handler, definition) if handler
        end
        nil
      end

      def can_resolve?(definition, config = {})
        candidates(definition).any? { |resolver| resolver.can_resolve?(definition, config) }
      end

      # @return [Array<String>]
      def registered_callables = @resolvers.flat_map(&:registered_callables).uniq

      # Registers with the explicit mapping.
      def register(key, handler)
        explicit = explicit_resolver or raise ResolutionError, 'the chain has no explicit_mapping resolver'
        explicit.register(key, handler)
      end

      # @return [Array<Hash>]
      def chain_info = @resolvers.map { |r| {name: r.name, priority: r.priority, callables: r.registered_callables.size} }
      def size = @resolvers.size
      def resolver_names = @resolvers.map(&:name)

      # @return [#call, nil] nil when the handler has no such method of its own
      def wrap_for_method_dispatch(handler, definition)
        method = definition.effective_method
        return handler if method == 'call'
        return nil unless handler.respond_to?(method)
        # `instance_eval`, `send` and their like are nobody's step.
        return nil if [Kernel, Object, BasicObject].include?(handler.method(method).owner)

        Resolvers::MethodDispatchWrapper.new(handler, method)
      end

      private

      def candidates(definition)
        hint = definition.resolver
        return @resolvers if hint.nil? || hint.empty?

        named = get_resolver(hint)
        raise ResolverNotFoundError, "No resolver named #{hint}; there are #{resolver_names.join(', ')}" unless named

        [named]
      end
    end
  end
end
