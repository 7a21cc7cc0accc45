# frozen_string_literal: true

module TaskerCore
  module Internal
    # Fills a registry at its first use: from `RUBY_HANDLER_PATH`, from the examples that the test environment has
    # loaded, else from what the templates ask for.
    class HandlerBootstrap
      # Where a handler that no file has loaded yet may be.
      FOLDERS = %w[app/handlers lib/handlers handlers app/tasker/handlers lib/tasker/handlers].freeze

      # @param registry [Registry::HandlerRegistry]
      def initialize(registry)
        @registry = registry
      end

      # @return [void]
      def run
        paths = ENV.fetch('RUBY_HANDLER_PATH', '').split(File::PATH_SEPARATOR)
        HandlerLoader.new(@registry).load(paths) unless paths.empty?
        register_examples || register_from_templates
      end

      # What the test environment has loaded: under its constant's name, which is the key that templates use, and its
      # handler_name.
      # @return [Boolean] whether there is any
      def register_examples
        return false if !TestEnvironment.loaded? || TestEnvironment.handler_names.empty?

        handlers = HandlerLoader.loaded_classes.select { |klass| HandlerLoader.name_of(klass).end_with?('Handler') }
        handlers.each { |klass| @registry.register_handler(HandlerLoader.name_of(klass), klass) }
        handlers.each { |klass| register_once(klass.handler_name, klass) if klass.respond_to?(:handler_name) }
        true
      end

      private

      def register_from_templates
        TemplateDiscovery::HandlerDiscovery.discover_all_handlers.each do |callable|
          klass = loaded(callable) || load_file(callable)
          register_once(callable, klass) if klass
        end
      end

      def register_once(name, klass)
        @registry.register_handler(name, klass) unless @registry.resolver_chain.explicit_resolver.registered?(name)
      end

      def loaded(callable)
        HandlerLoader.loaded_classes.find { |klass| klass < StepHandler::Base && HandlerLoader.name_of(klass).end_with?(callable) }
      end

      def load_file(callable)
        return nil unless Registry::Resolvers::ClassConstantResolver::CONSTANT.match?(callable)

        names = [Names.underscore(callable.gsub('::', '/')), Names.last_segment(callable)].uniq
        file = FOLDERS.product(names).map { |folder, name| File.expand_path("#{folder}/#{name}.rb") }.find { |path| File.file?(path) }
        return nil unless file

        require file
        loaded(callable)
      rescue StandardError, ScriptError => e
        LogOutput.write('error', 'loader', "#{file} was skipped: #{e.class}: #{e.message}", 'at' => e.backtrace&.first)
        nil
      end
    end
  end
end
