# frozen_string_literal: true

module TaskerCore
  module Internal
    # Loads handler files and registers the handlers they define.
    class HandlerLoader
      # Used when a folder has any such file; otherwise every Ruby file in it is loaded.
      PATTERNS = ['examples/**/*_handler.rb', 'dsl_examples/**/*.rb', 'examples/**/*_subscriber.rb', 'examples/**/*_publisher.rb'].freeze

      LIBRARY = File.expand_path('../..', __dir__)
      private_constant :LIBRARY

      class << self
        # @return [Array<Class>] classes of the application that answer `call`, by name
        def loaded_classes
          ObjectSpace.each_object(Class).select { |klass| handler_like?(klass) }.sort_by { |klass| name_of(klass) }
        end

        # Some classes answer `name` with something else.
        # @return [String, nil]
        def name_of(klass) = Module.instance_method(:name).bind_call(klass)

        private

        def handler_like?(klass)
          name = name_of(klass)
          return false if name.nil? || klass.singleton_class? || ours?(name)

          (klass < StepHandler::Base || name.end_with?('Handler')) && klass.public_method_defined?(:call)
        end

        # A handler file may be the first to load `tasker`, whose base class is nobody's handler.
        def ours?(name)
          file, = Object.const_source_location(name)
          !file.nil? && file.start_with?(LIBRARY)
        rescue NameError
          false
        end
      end

      # @return [Array<String>] files that raised, and were skipped
      attr_reader :skipped

      def initialize(registry = Registry::HandlerRegistry.instance)
        @registry = registry
        @skipped = []
        @classes_before = ObjectSpace.each_object(Class).to_set
      end

      # @param paths [Array<String>] files and folders
      # @return [void]
      # @raise [Errors::ConfigurationError] when a path does not exist
      def load(paths)
        files(paths).each { |file| load_file(file) }
        register_dsl_classes
        register_classes
        EventClasses.new(@classes_before).register
      end

      private

      def files(paths)
        paths.flat_map do |path|
          full = File.expand_path(path)
          next [full] if File.file?(full)
          raise Errors::ConfigurationError, "handlers path #{path} does not exist" unless File.directory?(full)

          matching = PATTERNS.flat_map { |pattern| Dir[File.join(full, pattern)].sort }
          matching.empty? ? Dir[File.join(full, '**/*.rb')].sort : matching
        end.uniq
      end

      def load_file(file)
        require file
      rescue StandardError, ScriptError => e
        @skipped << file
        LogOutput.write('error', 'loader', "#{file} was skipped: #{e.class}: #{e.message}", 'at' => e.backtrace&.first)
      end

      def register_dsl_classes
        DslClasses.all.each { |klass| register(klass.handler_name, klass) }
        DslClasses.all.each { |klass| register(klass.name, klass) if klass.name }
      end

      # Sorted, so that a name two classes share goes to the same one every time.
      def register_classes
        found = self.class.loaded_classes.reject { |klass| @classes_before.include?(klass) }
        found.each { |klass| register(self.class.name_of(klass), klass) }
        found.each { |klass| register(short_name(klass), klass) }
      end

      def short_name(klass) = klass.respond_to?(:handler_name) ? klass.handler_name : Names.last_segment(self.class.name_of(klass))

      def register(name, klass)
        taken = @registry.resolver_chain.explicit_resolver.handlers[name]
        return @registry.register_handler(name, klass) if taken.nil?
        return if taken.equal?(klass)

        LogOutput.write('debug', 'loader', "#{name} already names #{taken}; #{klass} keeps its full name only")
      end
    end
  end
end
