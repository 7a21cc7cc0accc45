# frozen_string_literal: true

require_relative '../internal/value_object'

module TaskerCore
  module Types
    # What a worker submits about a step it has run.
    class StepCompletion
      include Internal::ValueObject

      attribute :event_id
      attribute :task_uuid
      attribute :step_uuid
      attribute :success
      # @return [Object, nil] nil for a failure
      attribute :result, nil
      attribute :metadata, {}.freeze
      attribute :error_message, nil
      attribute :trace_id, nil
      attribute :span_id, nil

      # @param hash [Hash] either kind of keys
      # @raise [ArgumentError] when event_id, task_uuid, step_uuid or success is missing
      def self.from_hash(hash) = new(**hash.to_h.transform_keys(&:to_sym).slice(*attribute_names))

      def success? = success == true
    end
  end
end
