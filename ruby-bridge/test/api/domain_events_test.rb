# frozen_string_literal: true

require_relative '../test_helper'

# Publishers, subscribers and registries, without a host.
class DomainEventsTest < Minitest::Test
  Domain = TaskerCore::DomainEvents

  class Recording < Domain::BasePublisher
    attr_reader :calls

    def initialize(**answers)
      @answers = answers
      @calls = []
    end

    def name = 'Recording'
    def should_publish?(*) = @answers.fetch(:should, true)
    def transform_payload(step_result, declaration, _context = nil) = @answers[:fail] ? raise('no') : {order: step_result[:result][:n], of: declaration['name']}
    def additional_metadata(*) = {audience: 'finance'}
    def before_publish(name, payload, metadata) = @calls.push([:before, name, payload, metadata]) && (raise 'before' if @answers[:before]) && false
    def after_publish(name, *) = @calls.push([:after, name]) && (raise 'after' if @answers[:after])
    def on_publish_error(name, error, payload) = @calls.push([:error, name, error.message, payload])
  end

  class Orders < Domain::BaseSubscriber
    subscribes_to 'order.*', 'refund.made'

    attr_reader :seen, :errors

    def initialize
      @seen = []
      @errors = []
    end

    def before_handle(event) = event[:event_name] != 'order.skipped'

    def handle(event)
      @seen << event['event_name']
      raise 'bad order' if event[:event_name] == 'order.bad'
    end

    def on_handle_error(_event, error) = @errors << error.message
  end

  class LateOrders < Orders; end
  class Everything < Domain::BaseSubscriber; end

  def publishers = Domain::PublisherRegistry.instance
  def subscribers = Domain::SubscriberRegistry.instance
  def feed = TaskerCore::Internal::EventFeed.instance

  def teardown
    publishers.reset!
    subscribers.reset!
    TaskerCore::Worker::InProcessDomainEventPoller.instance.stop!
    TaskerCore::Worker::InProcessDomainEventPoller.instance.clear_subscriptions!
    feed.reset!
  end

  def context = {event_name: 'order.paid', step_result: {success: true, result: {n: 1}, metadata: {}}, event_declaration: TaskerCore::IndifferentHash[name: 'order.paid']}

  def test_publish_runs_the_hooks_in_order
    publisher = Recording.new
    assert publisher.publish(context)
    before, after = publisher.calls
    assert_equal [:before, 'order.paid', {order: 1, of: 'order.paid'}], before.first(3)
    assert_equal({publisher: 'Recording', audience: 'finance'}, before.last.slice(:publisher, :audience))
    assert_equal [:after, 'order.paid'], after
  end

  def test_a_hook_declines_or_raises
    refute Recording.new(should: false).publish(context)
    assert_raises(RuntimeError) { Recording.new(fail: true).publish(context) }
    [[{before: true}, %i[before error]], [{after: true}, %i[before after error]]].each do |answers, calls|
      publisher = Recording.new(**answers)
      refute publisher.publish(context)
      assert_equal calls, publisher.calls.map(&:first)
    end
  end

  def test_publisher_registry
    publisher = Recording.new
    publishers.register(publisher)
    assert_same publisher, publishers.get('Recording')
    assert_same publisher, publishers.get_strict(:Recording)
    assert_instance_of Domain::DefaultPublisher, publishers.get_or_default('absent')
    assert_raises(Domain::PublisherNotFoundError) { publishers.get_strict('absent') }
    assert_raises(Domain::DuplicatePublisherError) { publishers.register(Recording.new) }
    assert_raises(ArgumentError) { publishers.register('no publisher') }
    assert_equal [1, false, ['Recording']], [publishers.count, publishers.empty?, publishers.registered_names]
    error = assert_raises(Domain::ValidationError) { publishers.validate_required!(%w[Recording absent]) }
    assert_equal [['absent'], ['Recording']], [error.missing_publishers, error.registered_publishers]
    refute_predicate publishers, :frozen?
    publishers.validate_required!(['Recording'])
    assert_predicate publishers, :frozen?
    assert_raises(Domain::RegistryFrozenError) { publishers.unregister('Recording') }
    publishers.reset!
    assert_predicate publishers, :empty?
  end

  def event(name) = TaskerCore::IndifferentHash[event_name: name]

  def test_a_subscriber_gets_what_it_asked_for_and_its_failures_are_counted
    orders = Orders.new
    refute_predicate orders, :active?
    orders.start!
    orders.start!
    names = %w[order.paid other.x order.skipped order.bad refund.made refund.madeup]
    assert_equal [0, 0, 0, 1, 0, 0], names.map { |name| feed.deliver('domain', name, event(name)) }
    assert_equal %w[order.paid order.bad refund.made], orders.seen
    assert_equal ['bad order'], orders.errors
    assert_equal %w[order.* refund.made], feed.interest['domain_events']
    orders.stop!
    assert_equal 0, feed.deliver('domain', 'order.paid', event('order.paid'))
    assert_equal [], feed.interest['domain_events']
  end

  def test_patterns_are_inherited_and_default_to_everything
    assert_equal %w[order.* refund.made], LateOrders.patterns
    assert_equal ['*'], Everything.patterns
  end

  def test_subscriber_registry
    2.times { subscribers.register(Orders) }
    subscribers.register_instance(LateOrders.new)
    assert_raises(ArgumentError) { subscribers.register(String) }
    subscribers.start_all!
    assert_predicate subscribers, :started?
    assert_equal [2, 2], [subscribers.count, subscribers.stats[:active_count]]
    subscribers.stop_all!
    assert_equal 0, subscribers.stats[:active_count]
  end

  def test_poller
    poller = TaskerCore::Worker::InProcessDomainEventPoller.instance
    seen = []
    poller.subscribe('order.*') { |each| seen << each[:event_name] }
    feed.deliver('domain', 'order.early', event('order.early'))
    poller.start!
    poller.subscribe('refund.made') { |each| seen << each[:event_name] }
    assert_equal 2, poller.subscriber_count
    %w[order.paid refund.made other.x].each { |name| feed.deliver('domain', name, event(name)) }
    poller.unsubscribe('order.*')
    feed.deliver('domain', 'order.late', event('order.late'))
    assert_equal %w[order.paid refund.made], seen
    assert_equal({active: true, subscriber_count: 1, events_processed: 2}, poller.stats)
  end
end
