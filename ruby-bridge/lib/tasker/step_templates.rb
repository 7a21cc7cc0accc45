# frozen_string_literal: true

module Tasker
  # What the block of `define_step_templates` is given: collects steps.
  class StepTemplates
    # @return [Array<StepTemplate>]
    attr_reader :all

    def initialize
      @all = []
    end

    # @param name [String]
    # @param handler_class [String, Class, nil] constant of the handler; without it the step's name says which
    # @param depends_on_step [String, Array<String>, nil] waits for all of them
    # @param retry_limit [Integer] attempts in total
    # @param timeout [Numeric, nil] milliseconds
    # @return [StepTemplate]
    # @raise [ArgumentError] for impossible values, or a name that is taken
    def define(name:, handler_class: nil, depends_on_step: nil, retryable: true, retry_limit: 3, timeout: nil,
               description: nil, handler_config: nil)
      step = StepTemplate.new(name: name, handler_class: handler_class, depends_on_step: depends_on_step,
                              retryable: retryable, retry_limit: retry_limit, timeout: timeout, description: description,
                              handler_config: handler_config)
      raise ArgumentError, "step #{step.name} is defined twice" if all.any? { |other| other.name == step.name }

      all << step
      step
    end
  end
end
