# frozen_string_literal: true

require 'singleton'

module TaskerCore
  module DomainEvents
    # Subscribers that start and stop together. Safe from any thread.
    class SubscriberRegistry
      include Singleton

      def initialize
        @lock = Mutex.new
        @classes = []
        @subscribers = []
        @started = false
      end

      # One object is made of the class, however often it is registered.
      # @raise [ArgumentError] for anything but a subclass of {BaseSubscriber}
      def register(klass)
        unless klass.is_a?(Class) && klass < BaseSubscriber
          raise ArgumentError, "expected a subclass of BaseSubscriber, got #{klass.inspect}"
        end

        @lock.synchronize do
          next if @classes.include?(klass)

          @classes << klass
          @subscribers << klass.new
        end
      end

      # @raise [ArgumentError] for anything but a subscriber
      def register_instance(subscriber)
        raise ArgumentError, "expected a BaseSubscriber, got #{subscriber.class}" unless subscriber.is_a?(BaseSubscriber)

        @lock.synchronize do
          @classes |= [subscriber.class]
          @subscribers |= [subscriber]
        end
      end

      def start_all!
        all.each(&:start!)
        @started = true
      end

      def stop_all!
        all.each(&:stop!)
        @started = false
      end

      def started? = @started
      def count = all.size

      # @return [Hash]
      def stats
        {started: @started, subscriber_count: count, active_count: all.count(&:active?),
         subscribers: all.map { |one| {class: one.class.name, active: one.active?, patterns: one.class.patterns} }}
      end

      # Stopped and empty: for tests.
      def reset!
        stop_all!
        @lock.synchronize do
          @classes = []
          @subscribers = []
        end
      end

      private

      def all = @lock.synchronize { @subscribers.dup }
    end
  end
end
