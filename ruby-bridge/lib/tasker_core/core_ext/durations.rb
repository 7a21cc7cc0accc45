# frozen_string_literal: true

require 'date'
require_relative 'duration'

class Numeric
  # Months and years are missing on purpose: their length depends on the calendar.
  {second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800, fortnight: 1_209_600}.each do |unit, seconds|
    define_method(unit) { TaskerCore::CoreExt::Duration.new(self * seconds) }
    define_method(:"#{unit}s") { TaskerCore::CoreExt::Duration.new(self * seconds) }
  end
end

module TaskerCore
  module CoreExt
    # `Date + 3.days` counts days; Ruby's own `Date#+` would read a duration's seconds as days.
    module DateArithmetic
      def +(other) = other.is_a?(Duration) ? shifted(other.to_r / 86_400) { super(_1) } : super
      def -(other) = other.is_a?(Duration) ? shifted(other.to_r / 86_400) { super(_1) } : super

      private

      # A plain Date stays a Date for whole days and loses nothing for the rest: it has no time of day to keep.
      def shifted(days)
        yield(instance_of?(::Date) ? days.floor : days)
      end
    end
  end
end

Date.prepend(TaskerCore::CoreExt::DateArithmetic)
