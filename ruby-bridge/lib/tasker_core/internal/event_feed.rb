# frozen_string_literal: true

require 'singleton'

module TaskerCore
  module Internal
    # Who in this process listens to which events of the host. Safe from any thread; a subscription replaces the list,
    # so that handing out needs no lock.
    class EventFeed
      include Singleton

      Listener = Struct.new(:patterns, :call) do
        def wants?(name) = patterns.any? { |pattern| EventFeed.matches?(pattern, name) }
      end

      STREAMS = %w[lifecycle domain].freeze
      MAX_PATTERNS = 256

      # @param pattern [String] exact name, `prefix.*`, `*`
      def self.matches?(pattern, name)
        return pattern == name unless pattern.include?('*')

        File.fnmatch?(pattern.gsub(/[\[\]{}?\\]/) { |special| "\\#{special}" }, name, File::FNM_DOTMATCH)
      end

      # @return [#call, nil] called when the patterns may have changed
      attr_accessor :on_change

      def initialize
        @lock = Mutex.new
        @listeners = STREAMS.to_h { |stream| [stream, []] }
      end

      # Domain events.
      # @return [Proc] takes the subscription back
      def subscribe(patterns, &block) = add('domain', patterns, block)

      # What happens to tasks and steps.
      # @return [Proc] takes the subscription back
      def subscribe_lifecycle(patterns, &block) = add('lifecycle', patterns, block)

      # @return [Hash] the patterns by the field of `hello` and `subscribe`
      def interest
        STREAMS.to_h do |stream|
          patterns = @listeners[stream].flat_map(&:patterns).uniq
          ["#{stream}_events", patterns.size > MAX_PATTERNS ? ['*'] : patterns]
        end
      end

      # Hands an event to whom it concerns.
      # @return [Integer] how many of them failed
      def deliver(stream, name, event)
        @listeners[stream].count { |listener| listener.wants?(name) && !called?(listener, name, event) }
      end

      # Nobody listens any more: for tests.
      def reset!
        @lock.synchronize { @listeners = STREAMS.to_h { |stream| [stream, []] } }
        @on_change&.call
      end

      private

      def add(stream, patterns, block)
        listener = Listener.new(patterns.map(&:to_s), block)
        change(stream) { |list| list + [listener] }
        -> { change(stream) { |list| list.reject { |one| one.equal?(listener) } } }
      end

      def change(stream)
        @lock.synchronize { @listeners = @listeners.merge(stream => yield(@listeners[stream])) }
        @on_change&.call
      end

      # A subscriber that exits must not leave the others without their thread: hence Exception.
      def called?(listener, name, event)
        listener.call.call(event)
        true
      rescue Exception => e # rubocop:disable Lint/RescueException
        LogOutput.write('error', 'events', "a subscriber failed for event #{name}: #{e.class}: #{e.message}",
                        'backtrace' => e.backtrace&.first(5))
        false
      end
    end
  end
end
