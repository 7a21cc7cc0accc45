# frozen_string_literal: true

require 'singleton'

module TaskerCore
  module Registry
    # Handlers by name, for the whole process.
    class HandlerRegistry
      include Singleton

      # @return [ResolverChain]
      attr_reader :resolver_chain

      def initialize
        @resolver_chain = ResolverChain.default
      end

      # @param spec [String, Types::HandlerDefinition, Models::HandlerWrapper, #callable]
      # @return [#call, nil] a new instance for a class; nil when nobody knows the name
      # @raise [ResolverNotFoundError]
      def resolve_handler(spec)
        definition = definition_of(spec)
        resolver_chain.resolve(definition) || resolve_by_ending(definition)
      end
      alias resolve resolve_handler

      # @param name [String, Symbol]
      # @param handler [Class, #call]
      def register_handler(name, handler) = resolver_chain.register(name, handler)
      alias register register_handler

      # @return [Boolean]
      def handler_available?(name)
        definition = definition_of(name.to_s)
        resolver_chain.can_resolve?(definition) || !class_ending_with(definition.callable).nil?
      end
      alias is_registered handler_available?

      # @return [Array<String>] names, sorted
      def registered_handlers = resolver_chain.registered_callables.sort
      alias list_handlers registered_handlers

      # @return [Hash{String => Class, Object}]
      def handlers = resolver_chain.explicit_resolver.handlers

      def add_resolver(resolver) = resolver_chain.add_resolver(resolver)

      # @return [Hash] how many handlers there are, for diagnosis
      def template_discovery_info = {handlers_loaded: handlers.size, resolvers: resolver_chain.chain_info}

      private

      def definition_of(spec)
        return Types::HandlerDefinition.new(callable: spec.to_s) if spec.is_a?(String) || spec.is_a?(Symbol)
        return spec if spec.respond_to?(:effective_method)

        Types::HandlerDefinition.new(
          callable: spec.callable,
          initialization: (spec.initialization if spec.respond_to?(:initialization)) || {},
          handler_method: (spec.handler_method if spec.respond_to?(:handler_method)),
          resolver: (spec.resolver if spec.respond_to?(:resolver))
        )
      end

      # Templates may leave out modules: `ChargeHandler` finds `Payments::ChargeHandler`.
      def resolve_by_ending(definition)
        return nil if definition.resolver && !definition.resolver.empty?

        klass = class_ending_with(definition.callable) or return nil
        register_handler(definition.callable, klass)
        resolver_chain.resolve(definition)
      end

      def class_ending_with(callable)
        return nil unless Resolvers::ClassConstantResolver::CONSTANT.match?(callable.to_s)

        ending = "::#{callable}"
        handlers.each_pair { |name, handler| return handler if name.end_with?(ending) && handler.is_a?(Class) }
        nil
      end
    end
  end
end
