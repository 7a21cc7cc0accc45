# frozen_string_literal: true

module TaskerCore
  module Internal
    # The `kind` under which `hello` lists a handler. A hint: the template decides what a result means.
    module Kinds
      module_function

      # @param handler [Class, Object]
      # @return [String] step, decision, batch_analyzer or batch_worker
      def of(handler)
        klass = handler.is_a?(Class) ? handler : handler.class
        return klass.handler_kind if klass.respond_to?(:handler_kind) && klass.handler_kind
        return 'decision' if klass.include?(StepHandler::Mixins::Decision)

        # A class with the batch mixin may analyze, work or aggregate; only the template knows.
        'step'
      end
    end
  end
end
