# frozen_string_literal: true

require_relative '../internal/names'
require_relative '../internal/null_object'

module TaskerCore
  module StepHandler
    # Base of handlers written as classes. A subclass overrides {#call}; a new instance is made for every step.
    class Base
      class << self
        # @return [String, nil] what `hello` says this handler is; nil lets {Internal::Kinds} look
        attr_reader :handler_kind

        # @return [String] name under which the handler is registered besides its constant's name
        def handler_name = Internal::Names.last_segment(name)
      end

      # @return [Hash] the template's `handler.initialization`, String keys
      attr_reader :config
      # @return [TaskerCore::Logger]
      attr_reader :logger

      # @param config [Hash]
      # @param logger [TaskerCore::Logger, nil]
      def initialize(config: {}, logger: nil)
        @config = config || {}
        @logger = logger || TaskerCore::Logger.instance
      end

      # Does the step's work.
      # @param context [Types::StepContext]
      # @return [Types::StepHandlerCallResult::Success, Types::StepHandlerCallResult::Error, Hash]
      def call(context)
        raise NotImplementedError, "#{self.class} must implement call(context)"
      end

      # @return [Internal::NullObject]
      def orchestration_system = @orchestration_system ||= Internal::NullObject.new
      alias rust_integration orchestration_system

      # @return [String] snake_case of the class's own name
      def handler_name = self.class.handler_name

      # @param result [Object] any JSON value; `result_data:` is another name
      # @return [Types::StepHandlerCallResult::Success]
      # @raise [ArgumentError] when both are nil
      def success(result: nil, result_data: nil, metadata: {})
        value = result.nil? ? result_data : result
        raise ArgumentError, 'success needs result: or result_data:' if value.nil?

        Types::StepHandlerCallResult.success(result: value, metadata: metadata)
      end

      # @param error_type [String] one of {Types::ErrorTypes::ALL}
      # @return [Types::StepHandlerCallResult::Error]
      # @raise [ArgumentError] for another error_type
      def failure(message:, error_type: Types::ErrorTypes::UNEXPECTED_ERROR, error_code: nil, retryable: false, metadata: {})
        Types::StepHandlerCallResult.error(error_type: error_type, message: message, error_code: error_code,
                                           retryable: retryable, metadata: metadata)
      end

      # @return [Array<String>]
      def capabilities
        extras = {'process_results' => :process_results, 'async' => :process_async, 'streaming' => :process_stream}
        ['process'] + extras.select { |_, method| respond_to?(method) }.keys
      end

      # @return [Hash] JSON Schema of {#config}
      def config_schema
        {
          type: 'object',
          properties: {
            timeout: {type: 'integer', minimum: 1, default: 300},
            retries: {type: 'integer', minimum: 0, default: 3},
            log_level: {type: 'string', enum: %w[debug info warn error], default: 'info'}
          },
          additionalProperties: true
        }
      end

      # @return [Hash] what the handler is, for tools
      def metadata
        {
          handler_name: handler_name, handler_class: self.class.name,
          version: self.class.const_defined?(:VERSION) ? self.class.const_get(:VERSION) : '1.0.0',
          capabilities: capabilities, config_schema: config_schema, ruby_version: RUBY_VERSION,
          created_at: Time.now.utc.iso8601
        }
      end

      # @return [Boolean]
      def validate_config(hash) = hash.is_a?(Hash)
    end
  end
end
