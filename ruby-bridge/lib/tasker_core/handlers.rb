# frozen_string_literal: true

module TaskerCore
  module Handlers
    # Other names of the handler classes.
    module Steps
      Base = StepHandler::Base
      API = StepHandler::Api
      Decision = StepHandler::Decision
      Batchable = StepHandler::Batchable
      Mixins = StepHandler::Mixins

      module_function

      # @param klass [Class]
      # @return [StepHandler::Base]
      def create(klass, config: {}) = klass.new(config: config)

      # @return [Boolean] whether the class can serve as a handler
      def validate(klass) = klass.is_a?(Class) && klass.method_defined?(:call)
    end
  end
end
