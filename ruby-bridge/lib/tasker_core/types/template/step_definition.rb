# frozen_string_literal: true

require_relative '../../internal/value_object'

module TaskerCore
  module Types
    # One step of a template.
    class StepDefinition
      include Internal::ValueObject

      attribute :name
      # @return [HandlerDefinition]
      attribute :handler
      attribute :description, nil
      attribute :type, 'standard'
      attribute :dependencies, [].freeze
      attribute :system_dependency, nil
      # @return [RetryConfiguration]
      attribute :retry, RetryConfiguration.new
      attribute :timeout_seconds, nil
      attribute :publishes_events, [].freeze
      attribute :batch_config, nil
      attribute :result_schema, nil

      # @param hash [Hash] one entry of the template's `steps`
      def self.from_hash(hash)
        given = hash.to_h.transform_keys(&:to_sym)
        given[:type] ||= given[:step_type]
        given[:dependencies] ||= given[:depends_on]
        given[:handler] = handler(given[:handler])
        given[:retry] = RetryConfiguration.from_hash(given[:retry])
        new(**given.slice(*attribute_names).compact)
      end

      def self.handler(hash)
        given = (hash || {}).to_h.transform_keys(&:to_sym)
        HandlerDefinition.new(callable: given[:callable], initialization: given[:initialization] || {},
                              handler_method: given[:method] || given[:handler_method], resolver: given[:resolver])
      end
      private_class_method :handler

      def depends_on?(step_name) = dependencies.include?(step_name.to_s)
    end
  end
end
