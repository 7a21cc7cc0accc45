# frozen_string_literal: true

require_relative '../../internal/value_object'

module TaskerCore
  module Types
    # How often and when a step is tried again.
    class RetryConfiguration
      include Internal::ValueObject

      attribute :retryable, true
      # @return [Integer] attempts in total; templates call it `max_attempts`
      attribute :limit, 3
      attribute :backoff, 'exponential'
      attribute :backoff_base_ms, 1000
      attribute :max_backoff_ms, 30_000

      alias max_attempts limit

      # @param hash [Hash, nil] the template's `retry`
      def self.from_hash(hash)
        given = (hash || {}).to_h.transform_keys(&:to_sym)
        given[:limit] = given.delete(:max_attempts) if given.key?(:max_attempts)
        new(**given.slice(*attribute_names))
      end
    end
  end
end
