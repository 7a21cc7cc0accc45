# frozen_string_literal: true

module TaskerCore
  module Worker
    # What {EventBridge} hands to its listeners.
    Event = Struct.new(:id, :payload) do
      # @return [Object, nil] a value of the payload
      def [](key) = key.is_a?(Integer) || %i[id payload].include?(key) ? super : payload[key]
      def to_h = payload
    end
  end
end
