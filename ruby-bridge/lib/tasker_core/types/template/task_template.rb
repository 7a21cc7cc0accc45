# frozen_string_literal: true

require_relative '../../internal/value_object'

module TaskerCore
  module Types
    # A task template as its file has it.
    class TaskTemplate
      include Internal::ValueObject

      attribute :name
      attribute :namespace_name
      attribute :version
      attribute :description, nil
      attribute :metadata, nil
      attribute :system_dependencies, {}.freeze
      attribute :domain_events, [].freeze
      attribute :input_schema, nil
      # @return [Array<StepDefinition>]
      attribute :steps, [].freeze
      attribute :environments, {}.freeze
      attribute :lifecycle, nil
      attribute :identity_strategy, 'strict'

      # @param hash [Hash] the file's shape; unknown keys are left out
      # @return [TaskTemplate]
      # @raise [ArgumentError] without a name or a step's name
      def self.from_hash(hash)
        given = {namespace_name: 'default', version: '1.0.0'}.merge(hash.to_h.transform_keys(&:to_sym))
        given[:steps] = (given[:steps] || []).map { |step| StepDefinition.from_hash(step) }
        new(**given.slice(*attribute_names).compact)
      end

      # @return [String] `<namespace>/<name>:<version>`
      def task_key = "#{namespace_name}/#{name}:#{version}"

      # @return [StepDefinition, nil]
      def step(step_name) = steps.find { |one| one.name == step_name.to_s }

      # @return [Array<String>] callables, each once
      def handler_callables = steps.map { |step| step.handler.callable }.compact.uniq
    end
  end
end
