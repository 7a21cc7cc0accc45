# frozen_string_literal: true

require_relative 'functional/decision'
require_relative 'functional/batch_config'
require_relative '../internal/functional_handler'

module TaskerCore
  module StepHandler
    # Handlers as blocks. `include TaskerCore::StepHandler::Functional` at the top of a file makes the five
    # functions, and {Decision} and {BatchConfig}, available there; they are private methods of every object then,
    # so this module holds nothing else.
    #
    #   ValidateCartHandler = step_handler('shop.validate_cart', inputs: [:items]) do |items:, context:|
    #     {total: items.sum { |item| item['price'] }}
    #   end
    module Functional
      module_function

      # @param name [String] callable
      # @param depends_on [Hash] block keyword => step name, or [step name, model class]
      # @param inputs [Array<Symbol>, Class] block keywords from the task's context, or a model for `inputs:`
      # @return [Class] handler; assign it to a constant that ends in `Handler`
      # @raise [ArgumentError] without a block
      def step_handler(name, depends_on: {}, inputs: [], version: '1.0.0', &block)
        Internal::FunctionalHandler.define(StepHandler::Base, 'step', name, depends_on, inputs, version, block)
      end

      # The block returns `Decision.route(...)` or `Decision.skip(...)`.
      # @return [Class]
      def decision_handler(name, depends_on: {}, inputs: [], version: '1.0.0', &block)
        Internal::FunctionalHandler.define(StepHandler::Decision, 'decision', name, depends_on, inputs, version, block)
      end

      # The block returns a `BatchConfig`.
      # @param worker_template [String] name of the step that each batch becomes
      # @return [Class]
      def batch_analyzer(name, worker_template:, depends_on: {}, inputs: [], version: '1.0.0', &block)
        Internal::FunctionalHandler.define(StepHandler::Batchable, 'batch_analyzer', name, depends_on, inputs, version, block) do
          define_method(:worker_template) { worker_template }
        end
      end

      # The block gets `batch_context:` besides its other keywords.
      # @return [Class]
      def batch_worker(name, depends_on: {}, inputs: [], version: '1.0.0', &block)
        Internal::FunctionalHandler.define(StepHandler::Batchable, 'batch_worker', name, depends_on, inputs, version, block)
      end

      # The block gets `api:`, the handler itself, with `get`, `post`, ... for `base_url`.
      # @return [Class]
      def api_handler(name, base_url:, depends_on: {}, inputs: [], version: '1.0.0', timeout: nil, open_timeout: nil,
                      headers: {}, &block)
        settings = {'url' => base_url, 'timeout' => timeout, 'open_timeout' => open_timeout, 'headers' => headers}.compact
        Internal::FunctionalHandler.define(StepHandler::Api, 'api', name, depends_on, inputs, version, block) do
          define_method(:initialize) do |config: {}, logger: nil|
            super(config: settings.merge((config || {}).to_h.transform_keys(&:to_s)), logger: logger)
          end
        end
      end
    end
  end
end
