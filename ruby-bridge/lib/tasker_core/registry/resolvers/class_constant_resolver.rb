# frozen_string_literal: true

module TaskerCore
  module Registry
    module Resolvers
      # Takes the callable as the name of a class, such as `Payments::ChargeHandler`.
      class ClassConstantResolver < BaseResolver
        CONSTANT = /\A[A-Z]\w*(?:::[A-Z]\w*)*\z/

        def name = 'class_constant'
        def priority = 100

        def can_resolve?(definition, _config = {})
          klass = constant(definition.callable)
          !klass.nil? && klass.method_defined?(definition.effective_method)
        end

        def resolve(definition, _config = {})
          klass = constant(definition.callable)
          klass && Instantiation.instance_of(klass, definition)
        end

        private

        def constant(callable)
          return nil unless callable.is_a?(String) && CONSTANT.match?(callable)

          found = Object.const_get(callable)
          found if found.is_a?(Class)
        rescue NameError
          nil
        end
      end
    end
  end
end
