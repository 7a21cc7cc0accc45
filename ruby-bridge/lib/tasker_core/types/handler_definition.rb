# frozen_string_literal: true

require_relative '../internal/value_object'

module TaskerCore
  module Types
    # Which handler a template asks for, and how.
    class HandlerDefinition
      include Internal::ValueObject

      # @return [String] name of the handler
      attribute :callable
      # @return [Hash] passed to the handler as its config
      attribute :initialization, {}.freeze
      # @return [String, nil] method to call instead of `call`
      attribute :handler_method, nil
      # @return [String, nil] name of the resolver that must find it
      attribute :resolver, nil

      # @return [String]
      def effective_method = handler_method.nil? || handler_method.empty? ? 'call' : handler_method
      # @return [Boolean]
      def uses_method_dispatch? = effective_method != 'call'
      # @return [Boolean]
      def has_resolver_hint? = !(resolver.nil? || resolver.empty?)
    end
  end
end
