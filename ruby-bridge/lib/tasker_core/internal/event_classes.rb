# frozen_string_literal: true

module TaskerCore
  module Internal
    # Subscribers and publishers that handler files define: made, and subscribed or registered, once all files are
    # loaded. A class that cannot be made without arguments is left to the file, which registers an object.
    class EventClasses
      BASES = [EventSubscriber::Base, DomainEvents::BaseSubscriber, DomainEvents::BasePublisher].freeze

      # @param known [Set<Class>] that were there before the files
      def initialize(known)
        @known = known
      end

      def register
        found.each do |klass|
          register_class(klass)
        rescue StandardError, NotImplementedError => e
          LogOutput.write('warn', 'loader', "#{klass} was skipped: #{e.class}: #{e.message}", 'at' => e.backtrace&.first)
        end
      end

      private

      # Sorted, so that subscribers are called in the same order every time.
      def found
        BASES.flat_map { |base| ObjectSpace.each_object(base.singleton_class).to_a }
             .reject { |klass| klass.singleton_class? || @known.include?(klass) || BASES.include?(klass) }
             .sort_by { |klass| Module.instance_method(:name).bind_call(klass).to_s }
      end

      def register_class(klass)
        if klass < EventSubscriber::Base
          klass.subscribe!
        elsif klass < DomainEvents::BaseSubscriber
          DomainEvents::SubscriberRegistry.instance.register(klass)
        else
          registry = DomainEvents::PublisherRegistry.instance
          publisher = klass.new
          registry.register(publisher) unless registry.registered?(publisher.name)
        end
      end
    end
  end
end
