# frozen_string_literal: true

require_relative 'error'

module TaskerCore
  module Errors
    # Something is set up wrongly: a handler that does not exist, an impossible option. Never retried.
    class ConfigurationError < Error; end
  end
end
