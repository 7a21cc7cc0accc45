# frozen_string_literal: true

module TaskerCore
  # Health, metrics, templates and configuration of the worker, from its REST API (`TASKER_WORKER_URL`). Answers are
  # hashes with indifferent access; every method but {ready?} and {alive?} raises what {Client} raises.
  module Observability
    module_function

    def health_basic = answer(FFI.health_basic)
    def health_live = answer(FFI.health_live)
    # @return [IndifferentHash] also when the worker is not ready
    def health_ready = answer(FFI.health_ready)
    def health_detailed = answer(FFI.health_detailed)

    # @return [Boolean] false also without an answer
    def ready? = asked { health_ready['status'] == 'ready' }
    # @return [Boolean] false also without an answer
    def alive? = asked { health_live['status'] == 'alive' }

    def metrics_worker = answer(FFI.metrics_worker)
    # @return [IndifferentHash] counters of domain events
    def event_stats = answer(FFI.metrics_events)
    # @return [String]
    def prometheus_metrics = FFI.metrics_prometheus
    def templates_list(include_cache_stats: false) = answer(FFI.templates_list(include_cache_stats))
    def template_get(namespace:, name:, version:) = answer(FFI.template_get(namespace, name, version))
    def template_validate(namespace:, name:, version:) = answer(FFI.template_validate(namespace, name, version))
    # @return [IndifferentHash, nil]
    def cache_stats = answer(FFI.templates_cache_stats)
    def config = answer(FFI.config_runtime)
    # @return [String] such as `production`
    def environment = FFI.config_environment

    # @api private
    def answer(value) = IndifferentHash.wrap(value)

    # @api private
    def asked
      yield
    rescue Errors::Error
      false
    end
    private_class_method :answer, :asked
  end
end
