# frozen_string_literal: true

module TaskerCore
  module StepHandler
    # A handler that decides which steps come next.
    class Decision < Base
      include Mixins::Decision
    end
  end
end
