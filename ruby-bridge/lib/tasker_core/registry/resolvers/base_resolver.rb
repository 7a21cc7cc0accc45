# frozen_string_literal: true

module TaskerCore
  module Registry
    module Resolvers
      # One way of finding a handler by its definition.
      class BaseResolver
        # @return [String] by which a template may ask for this resolver
        def name = raise(NotImplementedError, "#{self.class} must implement name")
        # @return [Integer] lower numbers are asked first
        def priority = 100
        # @return [Boolean]
        def can_resolve?(_definition, _config = {}) = raise(NotImplementedError, "#{self.class} must implement can_resolve?")
        # @return [Object, nil] something that answers the effective method
        def resolve(_definition, _config = {}) = raise(NotImplementedError, "#{self.class} must implement resolve")
        # @return [Array<String>]
        def registered_callables = []
      end
    end
  end
end
