# frozen_string_literal: true

module TaskerCore
  module Models
    # Stored results of the step's ancestors, by step name.
    class DependencyResultsWrapper
      # @param data [Hash] step name => stored step execution result
      def initialize(data)
        @data = data || {}
        @wrapped = {}
      end

      # @return [IndifferentHash, nil] the stored result with its `success`, `metadata`, ...
      def get_result(step_name)
        key = step_name.to_s
        return @wrapped[key] if @wrapped.key?(key)

        @wrapped[key] = IndifferentHash.wrap(@data[key])
      end
      alias [] get_result

      # @return [Object, nil] what the step's handler returned
      def get_results(step_name)
        stored = get_result(step_name)
        stored.is_a?(Hash) && stored.key?('result') ? stored['result'] : stored
      end

      def keys = @data.keys
      def key?(step_name) = @data.key?(step_name.to_s)
      def each_key(&block) = @data.each_key(&block)
      def empty? = @data.empty?
      def size = @data.size
    end
  end
end
