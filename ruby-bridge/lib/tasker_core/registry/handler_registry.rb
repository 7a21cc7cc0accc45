# frozen_string_literal: true

require 'monitor'
require 'singleton'

module TaskerCore
  module Registry
    # Handlers by name, for the whole process. Looks for them itself at its first use, unless a program has loaded its
    # own ({#skip_bootstrap!}).
    class HandlerRegistry
      include Singleton

      # @return [ResolverChain]
      attr_reader :resolver_chain

      def initialize
        @resolver_chain = ResolverChain.default
        @bootstrapped = false
        @lock = Monitor.new
      end

      # @return [Array<String>] names, sorted, after looking for handlers once
      def bootstrap_handlers!
        bootstrap
        registered_handlers
      end

      # Handlers come from elsewhere: nothing is looked for.
      # @return [self]
      def skip_bootstrap!
        @bootstrapped = true
        self
      end

      # @param spec [String, Types::HandlerDefinition, Models::HandlerWrapper, #callable]
      # @return [#call, nil] a new instance for a class; nil when nobody knows the name
      # @raise [ResolverNotFoundError]
      def resolve_handler(spec)
        bootstrap unless @bootstrapped
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
        bootstrap unless @bootstrapped
        definition = definition_of(name.to_s)
        resolver_chain.can_resolve?(definition) || !class_ending_with(definition.callable).nil?
      end
      alias is_registered handler_available?

      # @return [Array<String>] names, sorted
      def registered_handlers
        bootstrap unless @bootstrapped
        resolver_chain.registered_callables.sort
      end
      alias list_handlers registered_handlers

      # @return [Hash{String => Class, Object}]
      def handlers
        bootstrap unless @bootstrapped
        resolver_chain.explicit_resolver.handlers
      end

      def add_resolver(resolver) = resolver_chain.add_resolver(resolver)

      # @return [Hash] what was looked for where, for diagnosis
      def template_discovery_info
        folder = TemplateDiscovery::TemplatePath.find_template_config_directory
        {template_path: folder, template_files: TemplateDiscovery::TemplatePath.discover_template_files(folder),
         discovered_handlers: TemplateDiscovery::HandlerDiscovery.discover_all_handlers(folder),
         handlers_by_namespace: TemplateDiscovery::HandlerDiscovery.discover_handlers_by_namespace(folder),
         environment: ENV['TASKER_ENV'] || 'development', bootstrapped: @bootstrapped, handlers_loaded: handlers.size,
         resolvers: resolver_chain.chain_info}
      end

      private

      # Under a lock that its own thread may take again: files that are loaded here may register handlers.
      def bootstrap
        @lock.synchronize do
          next if @bootstrapped || @bootstrapping

          @bootstrapping = true
          Internal::HandlerBootstrap.new(self).run
          @bootstrapped = true
        ensure
          @bootstrapping = false
        end
      end

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
        resolver_chain.explicit_resolver.handlers.each_pair { |name, handler| return handler if name.end_with?(ending) && handler.is_a?(Class) }
        nil
      end
    end
  end
end
