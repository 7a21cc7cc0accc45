# frozen_string_literal: true

require_relative 'simple_step_message'

module TaskerCore
  module Types
    # The same with what is known about the step besides its ids.
    class StepMessage < SimpleStepMessage
      attribute :namespace, nil
      attribute :task_name, nil
      attribute :task_version, nil
      attribute :step_name, nil
      attribute :step_payload, {}.freeze
      attribute :metadata, {}.freeze
    end
  end
end
