# frozen_string_literal: true

module TaskerCore
  module CoreExt
    # A number of seconds that knows `ago` and `from_now`, the part of ActiveSupport::Duration that handlers use.
    class Duration < Numeric
      include Comparable

      def initialize(seconds)
        @seconds = seconds
        super()
      end

      # @return [Time]
      def from_now(time = Time.now) = time + @seconds
      alias since from_now
      alias after from_now
      # @return [Time]
      def ago(time = Time.now) = time - @seconds
      alias before ago
      alias until ago

      def to_i = @seconds.to_i
      alias in_seconds to_i
      def to_f = @seconds.to_f
      def to_r = @seconds.to_r
      def to_s = to_i.to_s
      def to_json(*args) = @seconds.to_json(*args)
      def inspect = "#{@seconds} seconds"
      def +(other) = Duration.new(@seconds + number(other))
      def -(other) = Duration.new(@seconds - number(other))
      def *(other) = Duration.new(@seconds * number(other))
      def /(other) = other.is_a?(Duration) ? @seconds / number(other) : Duration.new(@seconds / number(other))
      def -@ = Duration.new(-@seconds)
      def <=>(other) = other.is_a?(Numeric) ? @seconds <=> number(other) : nil
      def ==(other) = other.is_a?(Numeric) && @seconds == number(other)
      def eql?(other) = other.is_a?(Duration) && to_r == other.to_r
      def hash = @seconds.hash
      def coerce(other) = [other, @seconds]
      def zero? = @seconds.zero?
      # Whole days for Date arithmetic: `Date.today + 3.days`.
      def in_days = @seconds.to_f / 86_400

      private

      def number(value) = value.is_a?(Duration) ? value.to_r : value
    end
  end
end
