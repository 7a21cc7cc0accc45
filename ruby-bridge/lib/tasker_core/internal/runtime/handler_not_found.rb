# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Nobody in this process knows the handler that a step asks for.
      class HandlerNotFound < Errors::ConfigurationError; end
    end
  end
end
