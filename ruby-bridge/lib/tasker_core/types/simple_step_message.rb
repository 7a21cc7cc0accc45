# frozen_string_literal: true

require_relative '../internal/value_object'

module TaskerCore
  module Types
    # A message of a worker queue: which step is ready.
    class SimpleStepMessage
      include Internal::ValueObject

      attribute :task_uuid
      attribute :step_uuid
      attribute :correlation_id, nil

      # @param hash [Hash] either kind of keys
      def self.from_hash(hash) = new(**hash.to_h.transform_keys(&:to_sym).slice(*attribute_names))
    end
  end
end
