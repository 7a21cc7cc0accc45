# frozen_string_literal: true

module TaskerCore
  module Internal
    # Makes the classes behind the functional DSL.
    module FunctionalHandler
      # Collects a block's keywords from a step.
      class Arguments
        def initialize(depends_on, inputs)
          @depends_on = depends_on
          @inputs = inputs
        end

        # @param context [Types::StepContext]
        # @return [Hash{Symbol => Object}]
        def for(context)
          arguments = @depends_on.to_h { |name, source| [name.to_sym, dependency(context, *Array(source))] }
          arguments.update(inputs(context))
          arguments[:context] = context
          arguments
        end

        private

        def dependency(context, step_name, model = nil)
          value = context.get_dependency_result(step_name)
          return value unless model && value.is_a?(Hash)

          model.new(**known(model).select { |name| value.key?(name.to_s) }.to_h { |name| [name, value[name.to_s]] })
        end

        def inputs(context)
          return @inputs.to_h { |name| [name.to_sym, context.get_input(name)] } unless @inputs.is_a?(Class)

          model = @inputs.new(**known(@inputs).to_h { |name| [name, context.get_input(name)] }.compact)
          model.validate! if model.respond_to?(:validate!)
          {inputs: model}
        end

        def known(model) = model.attribute_names.map(&:to_sym)
      end

      # The methods that all DSL classes share.
      module Behaviour
        # @param context [Types::StepContext]
        def call(context)
          arguments = self.class.arguments.for(context)
          case self.class.functional_kind
          when 'batch_worker' then arguments[:batch_context] = get_batch_context(context)
          when 'api' then arguments[:api] = self
          end
          as_result(self.class.block.call(**arguments))
        rescue StandardError => e
          Types::StepHandlerCallResult.from_exception(e)
        end

        private

        def as_result(value)
          case value
          when Types::StepHandlerCallResult::Success, Types::StepHandlerCallResult::Error,
               Types::StepHandlerCallResult::CheckpointYield then value
          when StepHandler::Functional::Decision then decision_result(value)
          when StepHandler::Functional::BatchConfig then batch_result(value)
          when nil then success(result: {})
          when Hash then success(result: value)
          else success(result: value.respond_to?(:to_h) ? value.to_h : {})
          end
        end

        def decision_result(decision)
          return decision_no_branches(result_data: decision.result_data) unless decision.route?

          decision_success(steps: decision.steps, result_data: decision.result_data)
        end

        def batch_result(plan)
          configs = create_cursor_configs(plan.total_items, plan.worker_count)
          create_batches_outcome(worker_template_name: worker_template, cursor_configs: configs,
                                 total_items: plan.total_items, metadata: plan.metadata)
        end
      end

      # Class-level part: what the DSL function was given.
      module Description
        attr_reader :handler_name, :handler_kind, :functional_kind, :arguments, :block

        def describe(name, kind, arguments, block)
          @handler_name = name
          @functional_kind = kind
          @handler_kind = kind == 'api' ? 'step' : kind
          @arguments = arguments
          @block = block
        end
      end

      # @return [Class] anonymous until it is assigned to a constant
      def self.define(base, kind, name, depends_on, inputs, version, block, &body)
        raise ArgumentError, "handler #{name} needs a block" unless block

        klass = Class.new(base)
        klass.extend(Description)
        klass.include(Behaviour)
        klass.describe(name.to_s, kind, Arguments.new(depends_on, inputs), block)
        klass.const_set(:VERSION, version)
        klass.class_eval(&body) if body
        DslClasses.add(klass)
        klass
      end
    end
  end
end
