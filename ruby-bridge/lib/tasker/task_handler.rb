# frozen_string_literal: true

module Tasker
  module TaskHandler
    # Base of task definitions.
    #
    #   class OrderProcess < Tasker::TaskHandler::Base
    #     register_handler 'process_order', namespace_name: 'shop', version: '1.0.0'
    #
    #     define_step_templates do |templates|
    #       templates.define(name: 'validate', handler_class: 'OrderProcess::ValidateHandler')
    #       templates.define(name: 'charge', depends_on_step: 'validate', handler_class: 'OrderProcess::ChargeHandler')
    #     end
    #   end
    class Base
      # How long the host may take to register what this process has just declared.
      REGISTRATION_SECONDS = 10
      RETRY_SECONDS = 0.05
      private_constant :REGISTRATION_SECONDS, :RETRY_SECONDS

      class << self
        # @return [TaskDefinition, nil] the version this class was last registered as
        attr_reader :definition

        # @param name [String]
        # @param version [String] semantic
        # @return [TaskDefinition]
        # @raise [ArgumentError] for a version that is none
        def register_handler(name, namespace_name: 'default', version: '0.1.0')
          @definition = HandlerFactory.instance.register(
            TaskDefinition.new(name: name, namespace_name: namespace_name, version: version, handler_class: self)
          )
        end

        # @yieldparam templates [StepTemplates]
        # @return [void]
        def define_step_templates
          collector = StepTemplates.new
          yield collector
          @step_templates = collector.all.freeze
        end

        # @return [Array<StepTemplate>] those of the superclass until it defines its own
        def step_templates
          @step_templates || (superclass.respond_to?(:step_templates) ? superclass.step_templates : [].freeze)
        end
      end

      # @return [TaskDefinition, nil]
      attr_reader :definition

      def initialize(definition: nil)
        @definition = definition || self.class.definition
      end

      # @return [Hash, nil] JSON Schema that the context of a task must match when the task is created; nil for any
      def schema = nil

      # @return [Array<StepTemplate>]
      def step_templates = self.class.step_templates

      # Creates a task of this definition.
      # @param context [Hash]
      # @return [String] the task's id
      # @raise [TaskerCore::Errors::ServerError, TaskerCore::Errors::NetworkError] when it was not created
      def run_task(context:, **options)
        start(Types::TaskRequest.new(name: registered.name, namespace: registered.namespace_name,
                                     version: registered.version, context: context, **options))
      end

      # Creates the task that a request describes.
      # @param request [Types::TaskRequest]
      # @return [String] the task's id
      # @raise (see #run_task)
      def start(request)
        task = once_registered(request) { TaskerCore::Client.create_task(**request.to_client_arguments) }
        task.is_a?(Hash) ? task['task_uuid'] : task.task_uuid
      end

      private

      # The host welcomes this process first, and then registers its templates.
      def once_registered(request)
        deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + REGISTRATION_SECONDS
        begin
          yield
        rescue TaskerCore::Errors::NotFoundError
          raise unless declared?(request) && Process.clock_gettime(Process::CLOCK_MONOTONIC) < deadline

          sleep(RETRY_SECONDS)
          retry
        end
      end

      def declared?(request)
        versions = HandlerFactory.instance.versions(request.name, namespace_name: request.namespace)
        versions.include?(request.version) && TaskerCore::Internal::Session.running?
      end

      def registered
        definition or raise TaskerCore::Errors::ConfigurationError, "#{self.class} has not called register_handler"
      end
    end
  end
end
