# frozen_string_literal: true

require 'tasker_core'

module TaskerCore
  # Runs handlers in tests, without a worker: `require 'tasker_core/testing'`, with any test framework.
  module Testing
    module_function

    # What a handler is given.
    # @param context [Hash] the task's input
    # @param dependencies [Hash] step name => what its handler returned
    # @param config [Hash] the template's `handler.initialization`
    # @param inputs [Hash, nil] the step's own inputs (batch workers: `cursor`); default the config, as in a task
    # @param attempts [Integer] attempts made before this one
    # @param cancel_reason [String, nil] the host has asked the step to stop
    # @return [Types::StepContext]
    def step_context(context: {}, dependencies: {}, config: {}, inputs: nil, checkpoint: nil, attempts: 0, max_attempts: 3,
                     step_name: 'step', callable: 'handler', cancel_reason: nil)
      cancellation = Internal::Runtime::Cancellation.new.tap { |one| one.cancel(cancel_reason) if cancel_reason }
      stored = dependencies.to_h { |name, result| [name.to_s, {'success' => true, 'status' => 'completed', 'result' => as_json(result), 'metadata' => {}}] }
      Types::StepContext.new({
        'task' => {'task' => {'task_uuid' => SecureRandom.uuid, 'context' => as_json(context)}, 'task_name' => 'task',
                   'task_version' => '1.0.0', 'namespace_name' => 'default'},
        'workflow_step' => {'workflow_step_uuid' => SecureRandom.uuid, 'name' => step_name, 'attempts' => attempts,
                            'max_attempts' => max_attempts, 'retryable' => true, 'checkpoint' => as_json(checkpoint),
                            'inputs' => as_json(inputs || (config.empty? ? nil : config))},
        'dependency_results' => stored,
        'step_definition' => {'name' => step_name, 'handler' => {'callable' => callable, 'initialization' => as_json(config)}}
      }, cancellation: cancellation)
    end

    # Runs a handler as a worker would: a class becomes an instance with its config, an exception becomes an Error.
    # @param handler [Class, #call, String] a String is looked up in the registry
    # @param parts [Hash] keywords of {step_context}
    # @return [Types::StepHandlerCallResult::Success, Types::StepHandlerCallResult::Error,
    #   Types::StepHandlerCallResult::CheckpointYield] the result as the next step would read it
    # @raise [Internal::Json::InvalidValue] when the result cannot be stored
    def run_step(handler, **parts)
      given = step_context(**parts)
      result = Types::StepHandlerCallResult.from_handler_output(instance(handler, given).call(given))
      return result unless result.success?

      Types::StepHandlerCallResult.success(result: IndifferentHash.wrap(as_json(result.result)), metadata: result.metadata)
    rescue Internal::Json::InvalidValue, NotImplementedError
      raise
    rescue StandardError => e
      error = Types::StepHandlerCallResult.from_exception(e)
      Types::StepHandlerCallResult.failure(**error.to_h.except(:success), retryable: Errors::ErrorClassifier.retryable?(e))
    end

    # @api private
    def instance(handler, context)
      definition = context.step_definition.handler
      return Registry::Resolvers::Instantiation.instance_of(handler, definition) unless handler.is_a?(String)

      found = Types::HandlerDefinition.new(callable: handler, initialization: definition.initialization)
      Registry::HandlerRegistry.instance.resolve_handler(found) or raise Errors::ConfigurationError, "No handler found for #{handler}"
    end

    # @api private
    def as_json(value) = JSON.parse(Internal::Json.generate(value))
    private_class_method :instance, :as_json
  end
end

require 'tasker_core/internal/runtime'
