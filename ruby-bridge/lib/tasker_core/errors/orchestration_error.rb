# frozen_string_literal: true

require_relative 'error'

module TaskerCore
  module Errors
    # The orchestration refused or failed an operation.
    class OrchestrationError < Error; end
  end
end
