# frozen_string_literal: true

module TaskerCore
  module BatchProcessing
    # Whether a convergence step has batch results to collect.
    class BatchAggregationScenario
      # @return [Symbol] :no_batches or :with_batches
      attr_reader :type
      # @return [Object, nil] what the analyzer returned
      attr_reader :batchable_result
      # @return [Hash{String => Object}] what the workers returned
      attr_reader :batch_results
      # @return [Integer]
      attr_reader :worker_count

      # @param dependencies [Models::DependencyResultsWrapper]
      # @param batchable_step [String] name of the analyzer
      # @param prefix [String] how the workers' names begin
      def self.detect(dependencies, batchable_step, prefix)
        names = dependencies.keys.select { |name| name.start_with?(prefix) }
        new(names.empty? ? :no_batches : :with_batches, dependencies.get_results(batchable_step),
            names.to_h { |name| [name, dependencies.get_results(name)] })
      end

      def initialize(type, batchable_result, batch_results)
        @type = type
        @batchable_result = batchable_result
        @batch_results = batch_results
        @worker_count = batch_results.size
      end

      def no_batches? = type == :no_batches
      def with_batches? = type == :with_batches
    end
  end
end
