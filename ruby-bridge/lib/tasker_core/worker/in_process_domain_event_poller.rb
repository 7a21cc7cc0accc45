# frozen_string_literal: true

require 'singleton'

module TaskerCore
  module Worker
    # Domain events for blocks. A worker starts it when handler files have subscribed something; events arrive one after
    # the other on the thread that also serves the subscribers.
    class InProcessDomainEventPoller
      include Singleton

      def initialize
        @lock = Mutex.new
        @subscriptions = Hash.new { |hash, pattern| hash[pattern] = [] }
        @detach = []
        @active = false
        @processed = 0
      end

      # @param pattern [String] exact name, `prefix.*`, `*`
      # @yieldparam event [IndifferentHash]
      def subscribe(pattern, &block)
        raise ArgumentError, 'subscribe needs a block' unless block

        @lock.synchronize do
          @subscriptions[pattern.to_s] << block
          attach(pattern.to_s, block) if @active
        end
        self
      end

      def unsubscribe(pattern) = refresh { @subscriptions.delete(pattern.to_s) }
      def clear_subscriptions! = refresh { @subscriptions.clear }
      def subscriber_count = @lock.synchronize { @subscriptions.sum { |_, blocks| blocks.size } }

      # A second start is without effect.
      def start!
        refresh { @active = true }
        self
      end

      def stop! = refresh { @active = false }
      def active? = @active

      # @return [Hash]
      def stats = {active: @active, subscriber_count: subscriber_count, events_processed: @processed}

      private

      def refresh
        @lock.synchronize do
          @detach.each(&:call).clear
          yield
          @subscriptions.each { |pattern, blocks| blocks.each { |block| attach(pattern, block) } } if @active
        end
      end

      def attach(pattern, block)
        @detach << Internal::EventFeed.instance.subscribe([pattern]) do |event|
          @processed += 1
          block.call(event)
        end
      end
    end
  end
end
