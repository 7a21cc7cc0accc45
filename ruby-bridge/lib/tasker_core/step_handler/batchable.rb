# frozen_string_literal: true

module TaskerCore
  module StepHandler
    # A handler that plans, does or collects batches.
    class Batchable < Base
      include Mixins::Batchable
    end
  end
end
