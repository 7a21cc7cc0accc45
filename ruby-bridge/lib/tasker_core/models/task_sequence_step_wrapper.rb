# frozen_string_literal: true

module TaskerCore
  module Models
    # A step as it is handed to a handler: task, row, ancestors' results and definition.
    class TaskSequenceStepWrapper
      # @param data [Hash] the contract's TaskSequenceStep
      def initialize(data)
        @data = data.key?('task') || data.key?('workflow_step') ? data : IndifferentHash.wrap(data)
      end

      # @return [TaskWrapper]
      def task = @task ||= TaskWrapper.new(@data['task'])
      # @return [WorkflowStepWrapper]
      def workflow_step = @workflow_step ||= WorkflowStepWrapper.new(@data['workflow_step'])
      # @return [DependencyResultsWrapper]
      def dependency_results = @dependency_results ||= DependencyResultsWrapper.new(@data['dependency_results'])
      # @return [StepDefinitionWrapper]
      def step_definition = @step_definition ||= StepDefinitionWrapper.new(@data['step_definition'])

      # @return [Object, nil] one value of the task's context
      def get_task_field(name) = task.context[name.to_s]
      # @return [IndifferentHash, nil] the stored result, not unwrapped
      def get_dependency_result(step_name) = dependency_results.get_result(step_name)
      # @return [Object, nil] what the step's handler returned
      def get_results(step_name) = dependency_results.get_results(step_name)
    end
  end
end
