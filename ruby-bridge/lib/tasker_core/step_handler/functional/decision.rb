# frozen_string_literal: true

module TaskerCore
  module StepHandler
    module Functional
      # What the block of a decision handler returns.
      class Decision
        # @return [Symbol] :route or :skip
        attr_reader :type
        # @return [Array<String>]
        attr_reader :steps
        # @return [String, nil]
        attr_reader :reason
        # @return [Hash]
        attr_reader :routing_context

        # Creates the named steps.
        # @param steps [Array<String>, String]
        def self.route(steps, **routing_context) = new(:route, Array(steps), nil, routing_context)

        # Creates nothing.
        # @param reason [String]
        def self.skip(reason, **routing_context) = new(:skip, [], reason, routing_context)

        def initialize(type, steps, reason, routing_context)
          @type = type
          @steps = steps
          @reason = reason
          @routing_context = routing_context
        end

        def route? = type == :route

        # @return [Hash] data stored beside the outcome
        def result_data
          return {routing_context: routing_context}.reject { |_, value| value.empty? } if route?

          {reason: reason, routing_context: routing_context}.reject { |_, value| value.nil? || value.empty? }
        end
      end
    end
  end
end
