# frozen_string_literal: true

module TaskerCore
  module Internal
    # Domain events for a program that polls for them. Bounded: the oldest is lost, and counted, when nobody polls.
    class PolledEvents
      CAPACITY = 1000

      # @param feed [EventFeed]
      def initialize(feed = EventFeed.instance)
        @events = []
        @received = @dropped = 0
        @lock = Mutex.new
        @detach = feed.subscribe(['*']) { |event| push(event) }
      end

      # @return [Array<IndifferentHash>] at most `max`, oldest first; never waits
      def poll(max) = @lock.synchronize { @events.shift(max) }

      # @return [Hash]
      def stats = @lock.synchronize { {'pending' => @events.size, 'received' => @received, 'dropped' => @dropped} }

      # Takes no more.
      def close = @detach.call

      private

      def push(event)
        @lock.synchronize do
          @received += 1
          @events << event
          next if @events.size <= CAPACITY

          @events.shift
          @dropped += 1
        end
      end
    end
  end
end
