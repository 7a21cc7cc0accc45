# frozen_string_literal: true

module TaskerCore
  module StepHandler
    module Mixins
      # Helpers of handlers that plan batches, work on one, or collect their results.
      module Batchable
        # @param context [Types::StepContext]
        # @return [BatchProcessing::BatchWorkerContext]
        # @raise [ArgumentError] when the step has no usable cursor
        def get_batch_context(context) = BatchProcessing::BatchWorkerContext.from_step_data(context.workflow_step)

        # @param sequence [Models::DependencyResultsWrapper]
        # @return [BatchProcessing::BatchAggregationScenario]
        def detect_aggregation_scenario(sequence, analyzer_step_name, batch_worker_prefix)
          BatchProcessing::BatchAggregationScenario.detect(sequence, analyzer_step_name, batch_worker_prefix)
        end

        # @param sequence [Models::DependencyResultsWrapper]
        # @param keys [Array] where to go in the result
        # @return [Object, nil]
        def get_dependency_result(sequence, step_name, *keys)
          result = sequence.get_results(step_name)
          keys.empty? || result.nil? ? result : result.dig(*keys)
        end

        # @param context [BatchProcessing::BatchWorkerContext]
        # @return [Types::StepHandlerCallResult::Success, nil] nil when there is work to do
        def handle_no_op_worker(context)
          return nil unless context.no_op?

          success(result: {'batch_id' => context.batch_id, 'no_op' => true, 'processed_count' => 0})
        end

        # @return [Array<Hash>] one per worker; with fewer items than workers the trailing ones are empty
        # @yieldparam config [Hash] may be changed
        # @yieldparam index [Integer]
        # @raise [ArgumentError] unless worker_count is positive
        def create_cursor_configs(total_items, worker_count)
          raise ArgumentError, "worker_count must be positive, got #{worker_count}" unless worker_count.positive?

          size = (total_items.to_f / worker_count).ceil
          Array.new(worker_count) do |index|
            first = [index * size, total_items].min
            last = [first + size, total_items].min
            config = {'batch_id' => format('%03d', index + 1), 'start_cursor' => first, 'end_cursor' => last,
                      'batch_size' => last - first}
            yield(config, index) if block_given?
            config
          end
        end

        # @return [Types::StepHandlerCallResult::Success]
        def no_batches_outcome(reason:, metadata: {})
          outcome = Types::BatchProcessingOutcome.no_batches
          success(result: {'batch_processing_outcome' => outcome.to_h, 'reason' => reason}.merge(text_keys(metadata)))
        end

        # @return [Types::StepHandlerCallResult::Success]
        def create_batches_outcome(worker_template_name:, cursor_configs:, total_items:, metadata: {})
          outcome = Types::BatchProcessingOutcome.create_batches(
            worker_template_name: worker_template_name, worker_count: cursor_configs.size,
            cursor_configs: cursor_configs, total_items: total_items
          )
          success(result: {'batch_processing_outcome' => outcome.to_h, 'worker_count' => cursor_configs.size,
                           'total_items' => total_items}.merge(text_keys(metadata)))
        end

        # @return [Types::StepHandlerCallResult::Success]
        def batch_worker_success(items_processed:, items_succeeded:, items_failed: 0, items_skipped: 0, last_cursor: nil,
                                 results: nil, errors: nil, metadata: {})
          optional = {'last_cursor' => last_cursor, 'results' => results, 'errors' => errors}.compact
          result = {'items_processed' => items_processed, 'items_succeeded' => items_succeeded,
                    'items_failed' => items_failed, 'items_skipped' => items_skipped}
          success(result: result.merge(optional, text_keys(metadata)), metadata: {batch_worker: true})
        end

        # Stores progress and asks to be called again.
        # @return [Types::StepHandlerCallResult::CheckpointYield]
        def checkpoint_yield(cursor:, items_processed:, accumulated_results: nil)
          Types::StepHandlerCallResult.checkpoint_yield(cursor: cursor, items_processed: items_processed,
                                                        accumulated_results: accumulated_results)
        end

        # @param metadata [Hash] further entries of the result
        # @param entries [Hash] the same, given bare
        # @return [Types::StepHandlerCallResult::Success]
        def no_batches_aggregation_result(entries = {}, metadata: {}, **more)
          all = text_keys(metadata).merge(text_keys(entries), text_keys(more))
          success(result: {'worker_count' => 0, 'scenario' => 'no_batches'}.merge(all))
        end

        # @param scenario [BatchProcessing::BatchAggregationScenario]
        # @yieldparam batch_results [Hash] what the workers returned, by step name
        # @yieldreturn [Hash]
        # @return [Types::StepHandlerCallResult::Success]
        def aggregate_batch_worker_results(scenario, zero_metrics: {})
          return no_batches_aggregation_result(metadata: zero_metrics) if scenario.no_batches?

          collected = block_given? ? yield(scenario.batch_results) : {}
          success(result: text_keys(collected).merge('worker_count' => scenario.worker_count, 'scenario' => 'with_batches'))
        end

        # @return [Array<String>]
        def capabilities = super + %w[batchable batch_processing parallel_execution cursor_based deferred_convergence]

        private

        def text_keys(hash) = (hash || {}).to_h.transform_keys(&:to_s)
      end
    end
  end
end
