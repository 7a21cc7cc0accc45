# frozen_string_literal: true

module TaskerCore
  module Models
    # The `handler` part of a step definition.
    class HandlerWrapper
      # @return [String] handler name
      attr_reader :callable
      # @return [String, nil] method to call instead of `call`
      attr_reader :handler_method
      # @return [String, nil] name of the resolver that must find the handler
      attr_reader :resolver

      # @param data [Hash] with String keys
      def initialize(data)
        data ||= {}
        @callable = data['callable']
        @handler_method = data['method'] || data['handler_method']
        @resolver = data['resolver']
        @raw_initialization = data['initialization'] || {}
      end

      # @return [IndifferentHash] what the template passes to the handler
      def initialization = @initialization ||= IndifferentHash.wrap(@raw_initialization)

      # @return [String] the method a call goes to
      def effective_method = handler_method.nil? || handler_method.empty? ? 'call' : handler_method
    end
  end
end
