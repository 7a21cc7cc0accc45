# frozen_string_literal: true

module Tasker
  # One version of a task: its names, its steps, and the class behind it.
  class TaskDefinition
    # @return [String]
    attr_reader :name, :namespace_name, :version
    # @return [Class] subclass of {TaskHandler::Base}
    attr_reader :handler_class

    # @raise [ArgumentError] naming what is wrong
    def initialize(name:, namespace_name:, version:, handler_class:)
      @name = name.to_s
      @namespace_name = namespace_name.to_s
      @version = version.to_s
      @handler_class = handler_class
      raise ArgumentError, 'a task handler needs a name' if @name.empty?
      raise ArgumentError, "task handler #{@name}: version must be like 1.0.0, got #{@version.inspect}" unless Versions.valid?(@version)
    end

    # @return [String] `<namespace>/<name>`
    def key = "#{namespace_name}/#{name}"

    # @return [Array<StepTemplate>]
    def steps = handler_class.step_templates

    # @return [Hash, nil] JSON Schema of the task's context
    def schema = handler_class.new.schema

    # @return [Hash] for tools: `{version:, schema:, steps:}` and more
    def info
      {
        name: name, namespace: namespace_name, version: version, schema: schema, handler_class: handler_class.name,
        steps: steps.map do |step|
          {name: step.name, handler_class: step.handler_class(handler_class), depends_on: step.depends_on_steps,
           retryable: step.retryable, retry_limit: step.retry_limit, timeout: step.timeout, description: step.description,
           handler_config: step.handler_config}
        end
      }
    end

    # @return [Hash] the shape of a YAML template
    def to_template
      {'name' => name, 'namespace_name' => namespace_name, 'version' => version, 'input_schema' => schema,
       'steps' => steps.map { |step| step.to_template(handler_class) }}.compact
    end
  end
end
