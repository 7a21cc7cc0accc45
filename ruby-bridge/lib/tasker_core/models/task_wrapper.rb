# frozen_string_literal: true

module TaskerCore
  module Models
    # The task of a step.
    class TaskWrapper
      # @param data [Hash] `{task:, task_name:, task_version:, namespace_name:}`, String keys
      def initialize(data)
        @outer = data || {}
        @inner = @outer['task'] || @outer
      end

      def task_uuid = @inner['task_uuid']
      # @return [IndifferentHash] the task's input
      def context = @context ||= IndifferentHash.wrap(@inner['context'] || {})
      def namespace_name = @outer['namespace_name']
      def task_name = @outer['task_name']
      def task_version = @outer['task_version']
      def correlation_id = @inner['correlation_id']
      def parent_correlation_id = @inner['parent_correlation_id']
      def priority = @inner['priority']
      def tags = @inner['tags']
    end
  end
end
