# frozen_string_literal: true

require 'singleton'

module TaskerCore
  module DomainEvents
    # Publishers by the names that templates use. Safe from any thread.
    class PublisherRegistry
      include Singleton

      def initialize
        @lock = Mutex.new
        @default = DefaultPublisher.new
        reset!
      end

      # @param publisher [BasePublisher]
      # @raise [ArgumentError] for anything else, or without a name
      # @raise [RegistryFrozenError, DuplicatePublisherError]
      def register(publisher)
        raise ArgumentError, "expected a BasePublisher, got #{publisher.class}" unless publisher.is_a?(BasePublisher)

        name = publisher.name.to_s
        raise ArgumentError, "#{publisher.class} has no name" if name.empty?

        change(name) do
          raise DuplicatePublisherError, "a publisher named #{name} is registered already" if @publishers.key?(name)

          @publishers[name] = publisher
        end
      end

      # @return [BasePublisher, nil]
      def get(name) = @publishers[name.to_s]
      # @return [BasePublisher]
      def get_or_default(name) = get(name) || @default

      # @raise [PublisherNotFoundError] naming what is registered
      def get_strict(name)
        get(name) or raise PublisherNotFoundError, "no publisher is named #{name}; registered: #{registered_names.join(', ')}"
      end

      def registered?(name) = @publishers.key?(name.to_s)
      def registered_names = @publishers.keys
      def count = @publishers.size
      def empty? = @publishers.empty?

      # @raise [RegistryFrozenError]
      # @return [BasePublisher, nil] what was registered
      def unregister(name) = change(name) { @publishers.delete(name.to_s) }

      # @raise [RegistryFrozenError]
      def clear = change('all') { @publishers.clear }

      # Freezes the registry.
      # @raise [ValidationError] with what is missing
      def validate_required!(names)
        missing = names.map(&:to_s).reject { |name| registered?(name) }
        unless missing.empty?
          raise ValidationError.new("publishers that templates name are not registered: #{missing.join(', ')}",
                                    missing_publishers: missing, registered_publishers: registered_names)
        end
        freeze!
      end

      def frozen? = @frozen
      def freeze! = @frozen = true

      # Empty and open again: for tests.
      def reset!
        @lock.synchronize do
          @publishers = {}
          @frozen = false
        end
      end

      private

      # A change makes a new Hash: readers need no lock.
      def change(name)
        @lock.synchronize do
          raise RegistryFrozenError, "the publisher registry is frozen: #{name} comes too late" if @frozen

          @publishers = @publishers.dup
          yield
        end
      end
    end
  end
end
