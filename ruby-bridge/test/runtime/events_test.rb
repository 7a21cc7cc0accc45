# frozen_string_literal: true

require_relative '../test_helper'
require_relative 'child_worker'
require 'tmpdir'

# Events on the wire: a real handler process, its publishers and its subscribers.
class EventsTest < Minitest::Test
  HANDLERS = <<~'RUBY'
    require 'tasker'

    def write(**line) = File.open(LOG, 'a') { |log| log.write("#{JSON.generate(line)}\n") }

    include TaskerCore::StepHandler::Functional

    EmitHandler = step_handler('emit') do |context:|
      TaskerCore::Worker::InProcessDomainEventPoller.instance.subscribe('late.*') { |event| write(late: event[:event_name]) }.start! if context.get_input('poll')
      raise TaskerCore::Errors::PermanentError, 'never' if context.get_input('fail')

      {n: context.get_input('n') || 1, big: 2**60}
    end

    class Audit < Tasker::EventSubscriber::Base
      subscribe_to 'step.*'

      def handle_step_completed(event)
        write(lifecycle: event[:type], n: event[:n], keys: event[:context]&.keys)
        exit(1) if event[:fail]
      end
    end

    class Orders < TaskerCore::DomainEvents::BaseSubscriber
      subscribes_to 'order.*'

      def handle(event)
        sleep(60) if event[:business_payload][:hang]
        write(domain: event['event_name'], payload: event[:business_payload], task: event[:context][:task_name])
      end
    end

    class Shaping < TaskerCore::DomainEvents::BasePublisher
      def name = 'Shaping'
      def should_publish?(step_result, *) = step_result[:result][:n] != 2

      def transform_payload(step_result, declaration, _context = nil)
        metadata = step_result[:metadata]
        return {failed: metadata[:error_message], retryable: metadata[:retryable]} unless step_result[:success]

        {big: step_result[:result][:big], event: declaration[:name]}
      end

      def additional_metadata(_result, _declaration, context = nil) = {step: context.step_name, namespace: context.namespace_name}
      def after_publish(name, _payload, _metadata) = write(after: name)
    end

    class Raising < TaskerCore::DomainEvents::BasePublisher
      def name = 'Raising'
      def transform_payload(*) = raise('cannot shape this')
    end

    class Nameless < TaskerCore::DomainEvents::BasePublisher; end

    class NeedsArguments < TaskerCore::DomainEvents::BasePublisher
      def initialize(client) = @client = client
      def name = 'NeedsArguments'
    end
  RUBY

  def scene
    Dir.mktmpdir do |folder|
      @log = File.join(folder, 'log.jsonl')
      file = File.join(folder, 'handlers.rb')
      File.write(file, "LOG = #{@log.dump}\n#{HANDLERS}")
      ChildWorker.run(handlers: [file]) { |worker| yield worker }
    end
  end

  def lines = File.exist?(@log) ? File.readlines(@log).map { |line| JSON.parse(line) } : []

  def wait_for
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 20
    until yield
      raise "waited for 20 s; #{lines}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep(0.005)
    end
  end

  def declared(name, **rest) = {'name' => name, 'description' => name, 'schema' => {}, 'publisher' => 'Shaping', **rest.transform_keys(&:to_s)}

  def emit(worker, context, *events)
    body = {'task' => {'task' => {'task_uuid' => 'task-1', 'context' => context}, 'task_name' => 't', 'namespace_name' => 'n'},
            'workflow_step' => {'workflow_step_uuid' => 'step-1', 'name' => 's', 'attempts' => 0, 'max_attempts' => 3},
            'dependency_results' => {},
            'step_definition' => {'name' => 's', 'handler' => {'callable' => 'emit'}, 'publishes_events' => events}}
    worker.step('emit', body: JSON.generate(body))
  end

  def notify(worker, seq, stream, name, event)
    worker.put({'type' => 'notify', 'stream' => stream, 'name' => name, 'seq' => seq}, JSON.generate(event))
  end

  def envelope(name, payload)
    {'event_id' => 'e', 'event_name' => name, 'event_version' => '1.0', 'metadata' => {'task_uuid' => 't', 'fired_by' => 'x'},
     'payload' => {'task_sequence_step' => {'task' => {'task_name' => 'orders'}}, 'execution_result' => {'success' => true}, 'payload' => payload}}
  end

  def notified(worker, seq)
    loop do
      header = worker.take('notified').header
      return header if header['seq'] >= seq
    end
  end

  def payload(message) = JSON.parse(message.body.byteslice(0, message.header['split']))

  def test_hello_says_what_the_files_define
    scene do |worker|
      assert_equal ['step.*'], worker.hello['lifecycle_events']
      assert_equal ['order.*'], worker.hello['domain_events']
      assert_equal %w[Raising Shaping], worker.hello['publishers']
    end
  end

  def test_a_publisher_sends_its_event_before_the_answer
    scene do |worker|
      id = emit(worker, {}, declared('order.made'), declared('order.default', publisher: nil),
                declared('order.unknown', publisher: 'Nobody'), declared('order.late', condition: 'failure'),
                declared('order.always', condition: 'always'))
      answer = worker.take('result', id)
      events = worker.seen.select { |message| message.header['type'] == 'event' }
      assert_equal %w[order.made order.always], events.map { |message| message.header['name'] }
      header = events.first.header
      assert_equal %w[success Shaping], header.values_at('on', 'publisher')
      assert_equal({'big' => 2**60, 'event' => 'order.made'}, payload(events.first))
      assert_equal({'step' => 's', 'namespace' => 'n'}, JSON.parse(events.first.body.byteslice(header['split']..)))
      assert_empty lines
      item = {'id' => answer.header['delivery_id'], 'kind' => 'result', 'status' => 'committed', 'unpublished' => ['order.made']}
      worker.put('type' => 'ack', 'items' => [item])
      wait_for { lines.any? }
      assert_equal [{'after' => 'order.always'}], lines
    end
  end

  def test_a_failure_publishes_what_is_declared_for_it
    scene do |worker|
      id = emit(worker, {'fail' => true}, declared('order.made'), declared('order.retry', condition: 'retryable_failure'),
                declared('order.dead', condition: 'permanent_failure'), declared('order.failed', condition: 'failure'))
      worker.take('error', id)
      events = worker.seen.select { |message| message.header['type'] == 'event' }
      assert_equal [%w[order.dead failure], %w[order.failed failure]], events.map { |message| message.header.values_at('name', 'on') }
      assert_equal({'failed' => 'never', 'retryable' => false}, payload(events.first))
      # A stale answer publishes nothing: no hook runs after it.
      worker.put('type' => 'ack', 'items' => [{'id' => id, 'kind' => 'error', 'status' => 'stale'}])
      worker.answer(emit(worker, {}))
      assert_empty lines
    end
  end

  def test_a_publisher_that_declines_or_fails_says_so
    scene do |worker|
      id = emit(worker, {'n' => 2}, declared('order.no'), declared('order.bad', publisher: 'Raising'))
      worker.take('result', id)
      events = worker.seen.select { |message| message.header['type'] == 'event' }
      assert_equal [%w[order.no declined], %w[order.bad failed]], events.map { |message| message.header.values_at('name', 'verdict') }
    end
  end

  def test_events_are_dealt_with_in_order_and_reported
    scene do |worker|
      (1..40).each { |n| notify(worker, n, 'lifecycle', 'step.completed', {'type' => 'step.completed', 'n' => n, 'context' => {'a' => {'b' => 1}}}) }
      notify(worker, 41, 'lifecycle', 'step.failed', {'type' => 'step.failed'})
      notify(worker, 42, 'lifecycle', 'step.completed', {'type' => 'step.completed', 'fail' => true})
      notify(worker, 43, 'domain', 'order.paid', envelope('order.paid', {'n' => 1}))
      notify(worker, 44, 'domain', 'order.paid', {'no' => 'envelope'})
      report = notified(worker, 44)
      assert_equal [1, 1], report.values_at('lifecycle_failed', 'domain_failed')
      assert_equal (1..40).to_a, lines.first(40).map { |line| line['n'] }
      assert_equal ['a'], lines.first['keys']
      assert_equal [{'domain' => 'order.paid', 'payload' => {'n' => 1}, 'task' => 'orders'}], lines.drop(41)
    end
  end

  def test_a_poller_that_starts_later_subscribes
    scene do |worker|
      emit(worker, {'poll' => true})
      assert_equal %w[order.* late.*], worker.take('subscribe').header['domain_events']
      notify(worker, 1, 'domain', 'late.one', envelope('late.one', {}))
      notified(worker, 1)
      assert_equal [{'late' => 'late.one'}], lines
    end
  end

  def test_a_subscriber_that_hangs_holds_up_no_step_and_no_exit
    scene do |worker|
      notify(worker, 1, 'domain', 'order.paid', envelope('order.paid', {'hang' => true}))
      assert_equal 'success', worker.answer(emit(worker, {})).first['outcome']
      worker.put('type' => 'drain', 'grace_ms' => 25_000, 'reason' => 'test')
      assert_predicate worker.wait, :success?
    end
  end

  def test_a_drain_waits_for_events_that_were_sent
    scene do |worker|
      (1..30).each { |n| notify(worker, n, 'domain', 'order.paid', envelope('order.paid', {'n' => n})) }
      worker.put('type' => 'drain', 'grace_ms' => 25_000, 'reason' => 'test')
      assert_predicate worker.wait, :success?
      assert_equal (1..30).to_a, lines.map { |line| line['payload']['n'] }
    end
  end
end
