# frozen_string_literal: true

module TaskerCore
  module Models
    # The step as its template defines it.
    class StepDefinitionWrapper
      # @param data [Hash] with String keys
      def initialize(data)
        @data = data || {}
      end

      def name = @data['name']
      def description = @data['description']
      # @return [HandlerWrapper]
      def handler = @handler ||= HandlerWrapper.new(@data['handler'])
      # @return [Array<String>]
      def dependencies = @data['dependencies'] || []
      # @return [IndifferentHash]
      def retry = @retry ||= IndifferentHash.wrap(@data['retry'] || {})
      def timeout_seconds = @data['timeout_seconds']
      # @return [Array] of event declarations
      def publishes_events = @publishes_events ||= IndifferentHash.wrap(@data['publishes_events'] || [])
    end
  end
end
