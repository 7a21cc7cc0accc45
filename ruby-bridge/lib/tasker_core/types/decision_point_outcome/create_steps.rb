# frozen_string_literal: true

module TaskerCore
  module Types
    module DecisionPointOutcome
      # The named steps are created.
      class CreateSteps
        # @return [Array<String>]
        attr_reader :step_names

        def initialize(step_names)
          @step_names = Array(step_names)
          raise ArgumentError, 'step_names must not be empty' if @step_names.empty?
        end

        def type = 'create_steps'
        def requires_step_creation? = true
        def to_h = {type: type, step_names: step_names}
      end
    end
  end
end
