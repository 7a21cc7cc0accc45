# frozen_string_literal: true

require 'date'
require 'time'

class String
  # @return [Date, nil] nil for an empty string
  def to_date = blank? ? nil : Date.parse(self)
  # @return [Time, nil] nil for an empty string
  def to_time = blank? ? nil : Time.parse(self)
  # @return [DateTime, nil] nil for an empty string
  def to_datetime = blank? ? nil : DateTime.parse(self)
end
