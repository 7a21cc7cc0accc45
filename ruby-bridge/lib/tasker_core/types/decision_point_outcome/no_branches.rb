# frozen_string_literal: true

module TaskerCore
  module Types
    module DecisionPointOutcome
      # Nothing is created.
      class NoBranches
        def type = 'no_branches'
        def step_names = []
        def requires_step_creation? = false
        def to_h = {type: type}
      end
    end
  end
end
