# frozen_string_literal: true

module TaskerCore
  # Loads the example handlers and subscribers that lie in the gem's `spec/handlers`, when tests run.
  module TestEnvironment
    ROOT = File.expand_path('../..', __dir__)
    # In this order; other files (publishers, models) are for those to require.
    PATTERNS = ['examples/**/*_handler.rb', 'dsl_examples/**/*.rb', 'examples/**/*_subscriber.rb'].freeze
    private_constant :ROOT, :PATTERNS

    class << self
      # @return [Boolean] `TASKER_ENV` or `RAILS_ENV` is `test`, or examples are forced; unless they are switched off
      def active?
        return false if ENV['TASKER_SKIP_EXAMPLE_HANDLERS'] == 'true'

        ENV['TASKER_FORCE_EXAMPLE_HANDLERS'] == 'true' || [ENV['TASKER_ENV'], ENV['RAILS_ENV']].include?('test')
      end

      # Loads the examples, once. A file that raises is logged and skipped.
      # @return [Boolean] whether they are loaded
      def load_if_test!
        return loaded? if loaded? || !active?

        ENV['TASKER_TEMPLATE_PATH'] ||= template_folder if File.directory?(template_folder)
        known = classes
        @files = files.select { |file| load_file(file) }
        @classes = classes - known
        register_subscribers
        @loaded = true
      end

      # @return [Boolean]
      def loaded? = @loaded == true

      # @return [String] where the fixtures' templates are
      def template_folder = File.join(ROOT, 'spec/fixtures/templates')

      # @return [Array<String>] names of the loaded handler classes
      def handler_names = loaded_names { |klass| klass < StepHandler::Base }

      # @return [Array<String>] names of the loaded subscriber classes
      def subscriber_names = loaded_names { |klass| subscriber?(klass) }

      # @return [Integer]
      def subscriber_count = subscriber_names.size

      # @return [Hash] for diagnosis
      def info
        {active: active?, loaded: loaded?, template_path: ENV['TASKER_TEMPLATE_PATH'], files: @files || [],
         handler_names: handler_names, subscriber_names: subscriber_names}
      end

      private

      def files = PATTERNS.flat_map { |pattern| Dir[File.join(ROOT, 'spec/handlers', pattern)].sort }.uniq

      def load_file(file)
        require file
        true
      rescue StandardError, ScriptError => e
        Logger.instance.warn("#{file} was skipped: #{e.class}: #{e.message}")
        false
      end

      def classes = ObjectSpace.each_object(Class).reject(&:singleton_class?)

      def loaded_names(&wanted)
        (@classes || []).select(&wanted).filter_map { |klass| Module.instance_method(:name).bind_call(klass) }.sort
      end

      def register_subscribers
        @classes.select { |klass| subscriber?(klass) }.each { |klass| DomainEvents::SubscriberRegistry.instance.register(klass) }
      end

      def subscriber?(klass) = !!(klass < DomainEvents::BaseSubscriber)
    end
  end
end
