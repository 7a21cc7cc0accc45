# frozen_string_literal: true

class Object
  # @return [Boolean] nil, false, empty or white space only
  def blank? = respond_to?(:empty?) ? !!empty? : !self
  # @return [Boolean]
  def present? = !blank?
  # @return [Object, nil] self unless blank
  def presence = blank? ? nil : self
end

class String
  def blank? = match?(/\A[[:space:]]*\z/)
end

class Numeric
  def blank? = false
end
