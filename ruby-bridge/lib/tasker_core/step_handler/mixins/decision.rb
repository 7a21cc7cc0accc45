# frozen_string_literal: true

module TaskerCore
  module StepHandler
    module Mixins
      # Helpers of handlers that decide which steps come next.
      module Decision
        # @param steps [Array<String>, String] names of the steps to create
        # @return [Types::StepHandlerCallResult::Success]
        # @raise [Errors::PermanentError] code INVALID_DECISION_OUTCOME
        def decision_success(steps:, result_data: {}, metadata: {})
          decided(validate_decision_outcome!({type: 'create_steps', step_names: Array(steps)}), result_data, metadata)
        end

        # @return [Types::StepHandlerCallResult::Success]
        def decision_no_branches(result_data: {}, metadata: {})
          decided({type: 'no_branches'}, result_data, metadata)
        end
        alias skip_branches decision_no_branches

        # @param outcome [Hash, #to_h] with `type` and `step_names`
        # @return [Types::StepHandlerCallResult::Success]
        # @raise [Errors::PermanentError] code INVALID_DECISION_OUTCOME
        def decision_with_custom_outcome(outcome:, result_data: {}, metadata: {})
          decided(validate_decision_outcome!(outcome), result_data, metadata)
        end

        # @return [Hash] the outcome with Symbol keys and canonical spelling
        # @raise [Errors::PermanentError] code INVALID_DECISION_OUTCOME
        def validate_decision_outcome!(outcome)
          hash = outcome.respond_to?(:to_h) ? outcome.to_h : {}
          names = hash[:step_names] || hash['step_names']
          case (hash[:type] || hash['type']).to_s
          when 'no_branches', 'NoBranches' then {type: 'no_branches'}
          when 'create_steps', 'CreateSteps'
            invalid_outcome!("step_names must be a list of names, got #{names.inspect}") unless step_names?(names)
            {type: 'create_steps', step_names: names}
          else invalid_outcome!("type must be create_steps or no_branches, got #{(hash[:type] || hash['type']).inspect}")
          end
        end

        # @return [Array<String>]
        def capabilities = super + %w[decision_point dynamic_workflow step_creation]

        private

        def decided(outcome, result_data, metadata)
          about = {
            decision_point: true, outcome_type: outcome[:type], branches_created: (outcome[:step_names] || []).size,
            processed_at: Time.now.utc.iso8601, processed_by: handler_name
          }
          success(result: (result_data || {}).merge(decision_point_outcome: outcome), metadata: about.merge(metadata))
        end

        def step_names?(names)
          names.is_a?(Array) && !names.empty? && names.all? { |name| name.is_a?(String) && !name.strip.empty? }
        end

        def invalid_outcome!(reason)
          raise Errors::PermanentError.new("Invalid decision outcome: #{reason}", error_code: 'INVALID_DECISION_OUTCOME',
                                                                                  context: {handler: handler_name})
        end
      end
    end
  end
end
