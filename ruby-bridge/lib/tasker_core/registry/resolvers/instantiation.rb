# frozen_string_literal: true

module TaskerCore
  module Registry
    module Resolvers
      # Makes a handler out of what is registered: a class becomes a new instance, anything else is used as it is.
      module Instantiation
        TAKES_CONFIG = ObjectSpace::WeakMap.new
        private_constant :TAKES_CONFIG

        module_function

        # @param handler [Class, Object]
        # @param definition [Types::HandlerDefinition, Models::HandlerWrapper]
        # @return [Object]
        def instance_of(handler, definition)
          return handler unless handler.is_a?(Class)

          takes_config?(handler) ? handler.new(config: definition.initialization || {}) : handler.new
        end

        # Looked up once per class: reflection costs more than making the instance.
        def takes_config?(klass)
          known = TAKES_CONFIG[klass]
          return known == :yes unless known.nil?

          initializer = klass.instance_method(:initialize)
          takes = initializer.arity.positive? ||
                  initializer.parameters.any? { |kind, name| name == :config && %i[key keyreq].include?(kind) }
          TAKES_CONFIG[klass] = takes ? :yes : :no
          takes
        end
      end
    end
  end
end
