# frozen_string_literal: true

require 'securerandom'
require_relative '../internal/value_object'

module TaskerCore
  module Types
    # Asks for a task.
    class TaskRequest
      include Internal::ValueObject

      attribute :namespace
      attribute :name
      attribute :version, '1.0.0'
      attribute :status, 'pending'
      attribute :initiator, 'tasker-core-ruby'
      attribute :source_system, 'tasker-core'
      attribute :reason, 'Task requested'
      attribute :complete, false
      attribute :tags, [].freeze
      attribute :context, {}.freeze
      attribute :priority, 0
      attribute :claim_timeout_seconds, 60
      attribute :max_retries, 3
      attribute :timeout_seconds, 300
      attribute :parent_task_uuid, nil
      attribute :correlation_id, nil
      attribute :requested_at, nil

      # What {Client.create_task} has a keyword for, or takes among its options.
      CLIENT_KEYS = %i[name namespace version context initiator source_system reason tags priority correlation_id].freeze
      private_constant :CLIENT_KEYS

      class << self
        # @param hash [Hash] either kind of keys; unknown ones are left out
        # @return [TaskRequest]
        # @raise [ArgumentError] without namespace or name
        def from_hash(hash)
          given = hash.to_h.transform_keys(&:to_sym)
          new(**given.slice(*attribute_names))
        end

        # A request for tests: reasons and names filled in.
        # @return [TaskRequest]
        def build_test(namespace:, name:, context:, **rest)
          new(namespace: namespace, name: name, context: context, initiator: 'test', source_system: 'test',
              reason: 'Test task', **rest)
        end
      end

      def initialize(**given)
        super
        @requested_at ||= Time.now.utc
      end

      # @return [Boolean] whether the server would read it
      def valid_for_creation?
        texts = [namespace, name, version, initiator, source_system, reason]
        texts.all? { |text| text.is_a?(String) && !text.empty? } && context.is_a?(Hash)
      end

      # @return [Hash] the body of `POST /v1/tasks`, Symbol keys
      def to_ffi_hash
        time = requested_at.respond_to?(:utc) ? requested_at.dup.utc.strftime('%Y-%m-%dT%H:%M:%S.%6N') : requested_at
        {name: name, namespace: namespace, version: version, context: context, initiator: initiator,
         source_system: source_system, reason: reason, tags: tags, requested_at: time, options: nil, priority: priority,
         correlation_id: correlation_id || SecureRandom.uuid, parent_correlation_id: nil}
      end

      # @api private
      def to_client_arguments = to_h.slice(*CLIENT_KEYS).compact
    end
  end
end
