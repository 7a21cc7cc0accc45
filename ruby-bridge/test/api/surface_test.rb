# frozen_string_literal: true

require_relative '../test_helper'
require_relative 'step_data'
require_relative '../client/rest_server'
require 'tasker'

# Names of the contract that no other test comes across, each with what it must do.
class SurfaceTest < Minitest::Test
  include TaskerCore

  class PlainHandler < StepHandler::Base
    def call(context) = success(result: context.get_input('n'))
    def refund(_context) = success(result: 'refunded')
    def process_results(_results) = nil
  end

  def test_base_describes_itself
    handler = PlainHandler.new(config: {'a' => 1})
    assert_nil handler.rust_integration.anything_at_all(1)
    assert_equal [300, 3, 'info'], handler.config_schema[:properties].values_at(:timeout, :retries, :log_level).map { |field| field[:default] }
    assert_equal [true, false], [handler.validate_config({}), handler.validate_config(nil)]
    assert_equal %w[process process_results], handler.capabilities
    assert_equal 'plain_handler', handler.metadata[:handler_name]
  end

  def test_api_connection_is_configured_before_its_first_use
    RestServer.run do |server|
      handler = StepHandler::Api.new(config: {url: server.url, auth: {type: 'api_key', api_key: 'k'}})
      handler.configure_connection { |connection| connection.headers['X-Extra'] = 'e' }
      response = handler.get('/health')
      assert_same response, handler.process_response(response)
      assert_equal %w[e k], server.requests.last.headers.values_at('x-extra', 'x-api-key')
      assert_equal Errors::ErrorClassifier, ErrorClassification
    end
  end

  def test_decisions_with_an_outcome_of_ones_own
    handler = StepHandler::Decision.new
    result = handler.decision_with_custom_outcome(outcome: {'type' => 'CreateSteps', 'step_names' => %w[a b]}, metadata: {why: 'x'})
    assert_equal({type: 'create_steps', step_names: %w[a b]}, result.result[:decision_point_outcome])
    assert_equal [2, 'x'], result.metadata.values_at(:branches_created, :why)
    assert_raises(PermanentError) { handler.decision_with_custom_outcome(outcome: {'type' => 'perhaps'}) }
    none, some = Types::DecisionPointOutcome.no_branches, Types::DecisionPointOutcome.create_steps(['a'])
    assert_instance_of Types::DecisionPointOutcome::NoBranches, none
    assert_equal [false, true], [none.requires_step_creation?, some.requires_step_creation?]
    assert_equal [Types::BatchProcessingOutcome::NoBatches, Types::BatchProcessingOutcome::CreateBatches],
                 [Types::BatchProcessingOutcome.no_batches, Types::BatchProcessingOutcome.create_batches(worker_template_name: 'w', worker_count: 1, cursor_configs: [{}], total_items: 1)].map(&:class)
  end

  def test_batch_helpers
    step = Models::WorkflowStepWrapper.new({'inputs' => {'cursor' => {'batch_id' => '001', 'start_cursor' => 0, 'end_cursor' => 5}}, 'checkpoint' => {'cursor' => 3, 'items_processed' => 3}})
    context = BatchProcessing::BatchWorkerContext.from_step_data(step)
    assert_equal [0, 5, '001', 3, 3, true, nil], [context.start_cursor, context.end_cursor, context.batch_id, context.checkpoint_cursor, context.checkpoint_items_processed, context.has_checkpoint?, context.accumulated_results]
    stored = Models::DependencyResultsWrapper.new({'plan' => {'result' => {'n' => 2}}, 'work_001' => {'result' => 1}, 'work_002' => {'result' => 2}})
    scenario = BatchProcessing::BatchAggregationScenario.detect(stored, 'plan', 'work_')
    assert_equal [{'work_001' => 1, 'work_002' => 2}, 2, true, {'n' => 2}], [scenario.batch_results, scenario.worker_count, scenario.with_batches?, scenario.batchable_result]
    assert BatchProcessing::BatchAggregationScenario.detect(stored, 'plan', 'nothing_').no_batches?
    assert_equal [{'result' => 1}, 1, %w[plan work_001 work_002]], [stored.get_result('work_001'), stored.get_results('work_001'), stored.each_key.to_a]
  end

  def test_wrappers
    step = Models::WorkflowStepWrapper.new({'named_step_uuid' => 'n', 'in_process' => true, 'processed' => false, 'processed_at' => 't', 'backoff_request_seconds' => 3})
    assert_equal ['n', true, false, 't', 3], [step.named_step_uuid, step.in_process, step.processed, step.processed_at, step.backoff_request_seconds]
    definition = Models::StepDefinitionWrapper.new({'name' => 's', 'publishes_events' => [{'name' => 'e'}]})
    assert_equal 'e', definition.publishes_events.first[:name]
    task = Models::TaskWrapper.new({'task' => {'task_uuid' => 't', 'context' => {'a' => 1}}, 'task_name' => 'n', 'task_version' => '1', 'namespace_name' => 's'})
    assert_equal ['t', 1, 'n', '1', 's'], [task.task_uuid, task.context[:a], task.task_name, task.task_version, task.namespace_name]
  end

  def test_results_and_error_types
    assert_instance_of Types::StepHandlerCallResult::Success, Types::StepHandlerCallResult.success(result: 1)
    assert_instance_of Types::StepHandlerCallResult::Error, Types::StepHandlerCallResult.failure(error_message: 'x')
    yielded = Types::StepHandlerCallResult.checkpoint_yield(cursor: 1, items_processed: 2)
    assert_instance_of Types::StepHandlerCallResult::CheckpointYield, yielded
    assert_equal({cursor: 1, items_processed: 2, accumulated_results: nil}, yielded.to_h)
    types = Types::ErrorTypes
    assert_equal [types::PERMANENT_ERROR, types::RETRYABLE_ERROR, types::VALIDATION_ERROR, types::UNEXPECTED_ERROR, types::STEP_COMPLETION_ERROR], types::ALL
    assert_equal [true, false], [types.valid?('ValidationError'), types.valid?('OtherError')]
    assert_equal %w[RetryableError UnexpectedError], types::ALL.select { |name| types.typically_retryable?(name) }
    assert_equal %w[PermanentError ValidationError], types::ALL.select { |name| types.typically_permanent?(name) }
    assert_equal 'a/b:1.0.0', Types::TaskTemplate.from_hash({'name' => 'b', 'namespace_name' => 'a'}).task_key
  end

  def test_error_family
    assert_equal [Errors::Error, Errors::ProceduralError, Errors::ProceduralError], [Errors::ProceduralError, Errors::RetryableError, Errors::PermanentError].map(&:superclass)
    missing = Errors::NotFoundError.new('no', resource_type: 'order', error_code: 'E', context: {id: 1})
    assert_equal ['order', 'E', {id: 1}, 'NotFoundError', false], [missing.resource_type, missing.error_code, missing.context, missing.error_class, Errors::ErrorClassifier.retryable?(missing)]
  end

  def test_registry_by_its_other_names
    registry = Registry::HandlerRegistry.send(:new).skip_bootstrap!
    registry.register('plain', PlainHandler)
    assert_equal [true, ['plain'], true], [registry.is_registered('plain'), registry.list_handlers, registry.resolver_chain.can_resolve?(Types::HandlerDefinition.new(callable: 'plain'))]
    chain = Registry::ResolverChain.default
    assert_same chain, chain.with_resolver(NamedResolver.new)
    assert_instance_of NamedResolver, chain.get_resolver('by_name')
    assert_kind_of Registry::Resolvers::BaseResolver, chain.get_resolver('by_name')
    assert_instance_of Registry::Resolvers::ClassConstantResolver, chain.get_resolver('class_constant')
    assert_equal [['explicit_mapping', 10], ['by_name', 50], ['class_constant', 100]], chain.chain_info.map { |entry| entry.values_at(:name, :priority) }
    assert_operator Registry::ResolverNotFoundError, :<, Registry::ResolutionError
    wrapped = chain.wrap_for_method_dispatch(PlainHandler.new, Types::HandlerDefinition.new(callable: 'x', handler_method: 'refund'))
    assert_instance_of Registry::Resolvers::MethodDispatchWrapper, wrapped
    assert_instance_of PlainHandler, wrapped.unwrap
    assert_nil chain.wrap_for_method_dispatch(PlainHandler.new, Types::HandlerDefinition.new(callable: 'x', handler_method: 'nothing'))
    mapping = Registry::Resolvers::ExplicitMappingResolver.new
    mapping.register('a', PlainHandler)
    assert_equal [true, false], [mapping.registered?('a'), mapping.registered?('b')]
    mapping.clear!
    assert_equal 0, mapping.size
  end

  class NamedResolver < Registry::Resolvers::RegistryResolver
    resolver_name 'by_name'
    handles_prefix 'named.'
  end

  def test_templates_and_steps_in_code
    assert_equal ['a', 'b'], TemplateDiscovery::TemplateParser.extract_handlers_from_template({'steps' => [{'handler' => {'callable' => 'a'}}, {'handler' => {'callable' => 'b'}}, {'handler' => {'callable' => 'a'}}, 1]})
    steps = Tasker::StepTemplates.new
    assert_equal 'one', steps.define(name: 'one').name
    assert_equal %w[one], steps.all.map(&:name)
  end

  class OrderPublisher < DomainEvents::BasePublisher
    attr_reader :told

    def name = 'order_publisher'
    def before_publish(name, payload, _metadata) = name == 'fails' ? raise('before') : (@told = [name, payload])
    def after_publish(name, _payload, _metadata) = name == 'late' ? raise('after') : (@told << :after)
    def on_publish_error(name, error, _payload) = @told = [name, error.message]
  end

  def test_publishers
    publisher = OrderPublisher.new
    publish = ->(name) { publisher.publish({event_name: name, step_result: {success: true, result: {n: 1}, metadata: {}}, event_declaration: {'name' => name}, step_context: nil}) }
    assert_equal [true, ['done', {n: 1}, :after]], [publish.call('done'), publisher.told]
    assert_equal [false, %w[fails before]], [publish.call('fails'), publisher.told]
    assert_equal [false, %w[late after]], [publish.call('late'), publisher.told]
    assert_same Logger.instance, publisher.logger
    registry = DomainEvents::PublisherRegistry.send(:new)
    registry.register(publisher)
    assert_raises(DomainEvents::DuplicatePublisherError) { registry.register(OrderPublisher.new) }
    assert_raises(ArgumentError) { registry.register('x') }
    assert_equal [publisher, nil, 'DefaultDomainEventPublisher', ['order_publisher'], true], [registry.get('order_publisher'), registry.get('x'), registry.get_or_default('x').name, registry.registered_names, registry.registered?('order_publisher')]
    assert_instance_of DomainEvents::DefaultPublisher, registry.get_or_default('x')
    assert_raises(DomainEvents::PublisherNotFoundError) { registry.get_strict('x') }
    error = assert_raises(DomainEvents::ValidationError) { registry.validate_required!(%w[order_publisher x]) }
    assert_equal [['x'], ['order_publisher']], [error.missing_publishers, error.registered_publishers]
    registry.validate_required!(['order_publisher'])
    assert_equal [true, true], [registry.frozen?, registry.freeze!]
    assert_raises(DomainEvents::RegistryFrozenError) { registry.unregister('order_publisher') }
    registry.reset!
    assert_equal [0, true, false], [registry.count, registry.empty?, registry.frozen?]
    registry.register(publisher)
    registry.clear
    assert_predicate registry, :empty?
  end

  class OrderSubscriber < DomainEvents::BaseSubscriber
    subscribes_to 'order.*', 'exact'
    def heard = @heard ||= []
    def before_handle(event) = event[:event_name] != 'order.skip'
    def handle(event) = event[:event_name] == 'order.bad' ? raise('no') : heard << event[:event_name]
    def after_handle(event) = heard << :after
    def on_handle_error(_event, error) = heard << error.message
  end

  def test_subscribers
    feed = Internal::EventFeed.instance
    registry = DomainEvents::SubscriberRegistry.send(:new)
    subscriber = OrderSubscriber.new
    registry.register_instance(subscriber)
    assert_raises(ArgumentError) { registry.register(String) }
    assert_equal [['order.*', 'exact'], ['*'], 1, false], [OrderSubscriber.patterns, DomainEvents::BaseSubscriber.patterns, registry.count, registry.started?]
    registry.start_all!
    assert_equal [true, true, 1], [registry.started?, subscriber.active?, registry.stats[:active_count]]
    capture_io { %w[order.made order.skip order.bad exact other].each { |name| feed.deliver('domain', name, {event_name: name}) } }
    assert_equal ['order.made', :after, 'no', 'exact', :after], subscriber.heard
    registry.stop_all!
    feed.deliver('domain', 'order.late', {event_name: 'order.late'})
    refute_includes subscriber.heard, 'order.late'
    registry.reset!
    assert_equal [0, false], [registry.count, registry.started?]
  end

  def test_event_poller_of_blocks
    poller = Worker::InProcessDomainEventPoller.send(:new)
    heard = []
    poller.subscribe('order.*') { |event| heard << event[:event_name] }
    poller.start!
    Internal::EventFeed.instance.deliver('domain', 'order.made', {event_name: 'order.made'})
    assert_equal [['order.made'], 1, 1, true], [heard, poller.subscriber_count, poller.stats[:events_processed], poller.active?]
    poller.clear_subscriptions!
    Internal::EventFeed.instance.deliver('domain', 'order.made', {event_name: 'order.made'})
    assert_equal [1, 0], [heard.size, poller.subscriber_count]
    poller.stop!
    refute_predicate poller, :active?
  end

  def test_polled_events_are_bounded
    assert_equal [[], 0], [FFI.poll_in_process_events(10), FFI.in_process_event_stats['received']]
    feed = Internal::EventFeed.send(:new)
    events = Internal::PolledEvents.new(feed)
    1002.times { |n| feed.deliver('domain', 'e', {n: n}) }
    assert_equal [{n: 2}, {n: 3}], events.poll(2)
    assert_equal({'pending' => 998, 'received' => 1002, 'dropped' => 2}, events.stats)
    events.close
    feed.deliver('domain', 'e', {n: 0})
    assert_equal 1002, events.stats['received']
  end

  def test_observability_by_the_native_names
    RestServer.run do
      assert_equal 3, FFI.metrics_events['router']['total_routed']
      assert_equal 'ruby', FFI.config_runtime['worker_type']
    end
  end

  def test_logger_and_tracing
    records = []
    Internal::LogOutput.sink = records.method(:push)
    Thread.current[:correlation_id] = 'corr'
    Thread.current[:task_uuid] = 'task'
    %i[info warn error fatal debug].each { |level| Logger.instance.public_send(level, "at #{level}") }
    %i[log_task log_queue_worker log_orchestrator log_step log_database log_ffi log_config log_registry].each { |method| Logger.instance.public_send(method, :info, 'done', n: 1) }
    Tracing.debug('hidden')
    Tracing.trace('hidden')
    Tracing.warn('shown', {'a' => 1})
    assert_equal ['at info', 'at warn', 'at error', 'at fatal'], records.first(4).map { |record| record['message'] }
    assert_equal %w[task queue_worker orchestrator step database ffi config registry], records[4, 8].map { |record| record['logger'] }
    assert_equal [['corr'], ['task']], [records.map { |record| record['correlation_id'] }.uniq, records.map { |record| record['fields']['task_uuid'] }.uniq]
    assert_equal [{n: 1}, 'shown'], [records[4]['fields'].slice(:n), records.last['message']]
    assert_equal 13, records.size
  ensure
    Internal::LogOutput.sink = nil
    Thread.current[:correlation_id] = Thread.current[:task_uuid] = nil
  end
end
