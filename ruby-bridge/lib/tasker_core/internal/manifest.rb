# frozen_string_literal: true

module TaskerCore
  module Internal
    # The body of `hello`: what this process runs, and the task templates it defines in code.
    module Manifest
      module_function

      # @param registry [Registry::HandlerRegistry]
      # @param pool [String]
      # @return [Array<Hash>]
      def build(registry, pool)
        handlers = registry.handlers.map do |name, handler|
          {'callable' => name, 'kind' => Kinds.of(handler), 'pool' => pool}
        end
        handlers + CodeTemplates.all.map { |template| {'template' => template} }
      end
    end
  end
end
