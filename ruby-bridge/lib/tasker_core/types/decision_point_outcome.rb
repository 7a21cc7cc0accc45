# frozen_string_literal: true

require_relative 'decision_point_outcome/no_branches'
require_relative 'decision_point_outcome/create_steps'

module TaskerCore
  module Types
    # What a decision step decided.
    module DecisionPointOutcome
      module_function

      # @return [NoBranches]
      def no_branches = NoBranches.new

      # @param step_names [Array<String>]
      # @return [CreateSteps]
      # @raise [ArgumentError] when the list is empty
      def create_steps(step_names) = CreateSteps.new(step_names)

      # @param hash [Hash] with `type`, in either spelling, and `step_names`
      # @return [NoBranches, CreateSteps, nil] nil when the hash is no outcome
      def from_hash(hash)
        return nil unless hash.is_a?(Hash)

        names = hash[:step_names] || hash['step_names']
        case (hash[:type] || hash['type']).to_s
        when 'no_branches', 'NoBranches' then no_branches
        when 'create_steps', 'CreateSteps' then names.is_a?(Array) && !names.empty? ? create_steps(names) : nil
        end
      end
    end
  end
end
