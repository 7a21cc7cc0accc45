# frozen_string_literal: true

require_relative 'error'

module TaskerCore
  module Errors
    # A step could not be done; says by its subclass whether another attempt may help.
    class ProceduralError < Error; end
  end
end
