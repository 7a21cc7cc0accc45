# frozen_string_literal: true

module TaskerCore
  module StepHandler
    # A handler that calls an HTTP service.
    class Api < Base
      include Mixins::API
    end
  end
end
