# frozen_string_literal: true

module TaskerCore
  module Registry
    module Resolvers
      # Makes a handler's other method look like `call`.
      class MethodDispatchWrapper
        # @return [Object] the handler behind
        attr_reader :handler
        # @return [Symbol] the method a call goes to
        attr_reader :target_method

        def initialize(handler, target_method)
          @handler = handler
          @target_method = target_method.to_sym
        end

        def call(...) = @handler.public_send(@target_method, ...)
        def unwrap = @handler
        def wraps?(klass) = @handler.is_a?(klass)
        def handler_class = @handler.class

        def method_missing(name, ...)
          @handler.respond_to?(name) ? @handler.public_send(name, ...) : super
        end

        def respond_to_missing?(name, include_private = false) = @handler.respond_to?(name, include_private) || super
      end
    end
  end
end
