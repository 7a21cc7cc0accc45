# frozen_string_literal: true

require_relative '../test_helper'
require_relative 'child_worker'

# What becomes of a step, seen from the host.
class StepsTest < Minitest::Test
  def test_hello_says_who_and_what
    ChildWorker.run(slots: 3, arguments: ['--pool', 'slow']) do |worker|
      assert_equal 'ruby', worker.hello['language']
      assert_equal [{'name' => 'slow', 'slots' => 3, 'prefetch' => 0}], worker.hello['pools']
      assert_nil TaskerCore::Internal::Protocol::Messages.problem(worker.hello, to: :host)
      assert_includes worker.handlers, {'callable' => 'reference.echo', 'kind' => 'step', 'pool' => 'slow'}
      assert_includes worker.handlers.map { |handler| handler['callable'] }, 'ReferenceHandlers::EchoHandler'
    end
  end

  def test_echo_keeps_numbers_and_text
    context = {'n' => 9_007_199_254_740_993, 'f' => 1.0, 't' => 'größe 漢字 😀', 'deep' => [{'a' => nil}]}
    ChildWorker.run do |worker|
      header, value, detail = worker.answer(worker.step('reference.echo', context))
      assert_equal 'result', header['type']
      assert_equal 'success', header['outcome']
      assert_equal context, value
      assert_instance_of Float, value['f']
      assert_equal({}, detail)
    end
  end

  def test_a_fork_answers_once
    ChildWorker.run do |worker|
      assert_equal({'who' => 'parent', 'child_status' => 0}, worker.answer(worker.step('reference.fork'))[1])
      assert_equal({}, worker.answer(worker.step('reference.echo'))[1])
      assert_empty worker.seen.reject { |message| message.header['type'] == 'log' }
    end
  end

  def test_a_checkpoint_ends_the_delivery_and_comes_back_with_the_next
    ChildWorker.run do |worker|
      header, stored, = worker.answer(worker.step('reference.checkpoint', {'yields' => 1}))
      assert_equal ['checkpoint', true, 10, {'cursor' => 1, 'accumulated_results' => {'done' => 1}}], [*header.values_at('type', 'yield', 'items_processed'), stored]
      _, value, = worker.answer(worker.step('reference.checkpoint', {'yields' => 1}, checkpoint: stored))
      assert_equal({'yields' => 1, 'accumulated' => {'done' => 1}}, value)
    end
  end

  def test_the_constant_name_is_a_callable_too
    ChildWorker.run { |worker| assert_equal({'a' => 1}, worker.answer(worker.step('ReferenceHandlers::EchoHandler', {'a' => 1}))[1]) }
  end

  def test_failures_say_whether_and_when_to_try_again
    ChildWorker.run do |worker|
      header, _, detail = worker.answer(worker.step('reference.fail', {'permanent' => true, 'message' => 'no', 'error_code' => 'E1'}))
      assert_equal ['error', 'PermanentError', 'E1', 'no', false, 'handler', 0],
                   header.values_at('type', 'error_type', 'code', 'message', 'retryable', 'kind', 'split')
      assert_equal({'step' => 's'}, detail['context'])

      header, = worker.answer(worker.step('reference.fail', {'retry_after' => 2.5}))
      assert_equal ['RetryableError', true, 2500], header.values_at('error_type', 'retryable', 'retry_after_ms')
    end
  end

  def test_values_that_json_cannot_carry_are_refused_with_their_path
    ChildWorker.run do |worker|
      %w[nan object surrogate nul deep].each do |kind|
        header, = worker.answer(worker.step('reference.bad_value', {'kind' => kind}))
        assert_equal ['invalid_result', false], header.values_at('kind', 'retryable')
        assert_includes header['message'], 'result.outer[1].inner'
      end
    end
  end

  def test_unknown_handler
    ChildWorker.run do |worker|
      header, = worker.answer(worker.step('nobody.knows'))
      assert_equal ['handler_not_found', 'handler_not_found', false, 'No handler found for nobody.knows'],
                   header.values_at('kind', 'error_type', 'retryable', 'message')
    end
  end

  def test_body_that_is_not_json_fails_that_step_only
    ChildWorker.run do |worker|
      ['{"task":', '[1]', "\"\xFF\""].each do |body|
        header, = worker.answer(worker.step('reference.echo', body: body))
        assert_equal ['invalid_result', false], header.values_at('kind', 'retryable')
      end
      assert_equal 'result', worker.answer(worker.step('reference.echo')).first['type']
    end
  end

  def test_too_large_a_result_fails_and_a_large_one_arrives
    worker = ChildWorker.new
    worker.greet(max_frame: 100_000)
    header, = worker.answer(worker.step('reference.big', {'bytes' => 200_000}))
    assert_equal ['payload_too_large', false], header.values_at('kind', 'retryable')
    assert_equal 90_000, worker.answer(worker.step('reference.big', {'bytes' => 90_000}))[1]['text'].size
  ensure
    worker&.finish
  end

  def test_many_at_once_more_than_a_socket_buffer_holds
    ChildWorker.run(slots: 16) do |worker|
      ids = Array.new(16) { worker.step('reference.big', {'bytes' => 500_000}) }
      ids.each { |id| assert_equal 500_000, worker.answer(id)[1]['text'].size }
    end
  end

  def test_printing_does_not_touch_the_channel
    ChildWorker.run do |worker|
      assert_equal({'printed' => true}, worker.answer(worker.step('reference.print'))[1])
      assert_equal({}, worker.answer(worker.step('reference.echo'))[1])
      assert_includes worker.output, 'garbage on stdout'
      assert_includes worker.output, 'echo from a child'.sub('echo ', '')
    end
  end

  def test_log_records_come_before_the_completion_with_their_ids
    ChildWorker.run do |worker|
      id = worker.step('reference.log', {'count' => 120})
      worker.answer(id)
      worker.put('type' => 'ping', 'n' => 1)
      worker.take('pong')
      logs = worker.seen.select { |message| message.header['type'] == 'log' }
      records = logs.flat_map { |message| JSON.parse(message.body) }
      assert_equal [*0..119, nil], records.map { |record| record['fields']['index'] }
      assert(logs.all? { |message| JSON.parse(message.body).size <= 50 })
      assert_equal [id, 'corr-1', 'info', 'reference log 0'], records.first.values_at('delivery_id', 'correlation_id', 'level', 'message')
    end
  end

  def test_a_log_flood_loses_the_oldest_and_says_so
    ChildWorker.run do |worker|
      worker.answer(worker.step('reference.log', {'count' => 5000}))
      logs = worker.seen.select { |message| message.header['type'] == 'log' }
      records = logs.flat_map { |message| JSON.parse(message.body) }
      assert_equal 'reference log done', records.last['message']
      assert_equal 5001, records.size + logs.sum { |message| message.header['dropped'] }
    end
  end
end
