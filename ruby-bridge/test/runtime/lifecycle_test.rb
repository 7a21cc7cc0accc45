# frozen_string_literal: true

require_relative '../test_helper'
require_relative 'child_worker'
require 'tmpdir'

# Cancels, drains, ends and broken peers, with real signals.
class LifecycleTest < Minitest::Test
  include HandlerFiles

  def test_cancel_reaches_a_handler_that_looks
    code = <<~RUBY
      H = step_handler('wait') do |context:|
        TaskerCore::Tracing.info('started')
        context.wait_cancelled(60)
        raise "stopped by \#{context.cancel_reason}" if context.cancelled?
      end
    RUBY
    with_handlers(code) do |folder|
      ChildWorker.run(handlers: [folder]) do |worker|
        id = worker.step('wait')
        worker.take('log') # nobody completes, so the clerk sends it
        worker.put('type' => 'cancel', 'delivery_id' => id, 'reason' => 'timeout', 'grace_ms' => 5000)
        header, = worker.answer(id)
        assert_equal ['error', 'timeout', 'stopped by timeout'], header.values_at('type', 'kind', 'message')
      end
    end
  end

  def test_all_slots_run_at_once_although_the_handlers_block
    ChildWorker.run(slots: 8) do |worker|
      started = now
      ids = Array.new(8) { worker.step('reference.sleep', {'ms' => 500}) }
      ids.each { |id| assert_equal 'result', worker.answer(id).first['type'] }
      assert_operator now - started, :<, 2.5, 'one after the other would take 4 s'
    end
  end

  def test_drain_finishes_what_runs_waits_for_acks_and_says_bye
    ChildWorker.run do |worker|
      id = worker.step('reference.sleep', {'ms' => 300})
      worker.put('type' => 'drain', 'grace_ms' => 10_000, 'reason' => 'test')
      assert_equal({'default' => 0}, worker.take('ready').header['pools'])
      assert_equal 'result', worker.take('result', id).header['type']
      refute worker.seen.any? { |message| message.header['type'] == 'bye' }
      worker.ack(id)
      worker.take('bye')
      assert_equal 0, worker.wait.exitstatus
    end
  end

  def test_sigterm_is_a_drain_of_its_own
    ChildWorker.run do |worker|
      id = worker.step('reference.sleep', {'ms' => 300})
      worker.answer(worker.step('reference.echo'))
      Process.kill('TERM', worker.pid)
      assert_equal 'SIGTERM', worker.take('drain').header['reason']
      late = worker.step('reference.echo', {'sent' => 'before the host read drain'})
      worker.take('ping')
      worker.put('type' => 'pong', 'n' => 0)
      assert_equal 'result', worker.answer(late).first['type']
      assert_equal 'result', worker.answer(id).first['type']
      worker.take('bye')
      assert_equal 0, worker.wait.exitstatus
    end
  end

  def test_end_of_the_channel_cancels_and_ends_the_process
    ChildWorker.run do |worker|
      worker.step('reference.sleep', {'ms' => 60_000})
      worker.answer(worker.step('reference.echo'))
      started = now
      worker.close
      assert_equal 0, worker.wait.exitstatus
      assert_operator now - started, :<, 15
    end
  end

  def test_end_of_the_channel_ends_the_process_even_when_a_handler_ignores_it
    with_handlers("H = step_handler('stubborn') { |**| sleep(0.1) while true }\nat_exit { puts 'hook ran' }") do |folder|
      ChildWorker.run(handlers: [folder]) do |worker|
        worker.step('stubborn')
        worker.put('type' => 'ping', 'n' => 1)
        worker.take('pong')
        worker.close
        worker.wait
        assert_includes worker.output, 'hook ran'
      end
    end
  end

  def test_exit_and_thread_exit_and_not_implemented_fail_their_step_only
    code = <<~RUBY
      A = step_handler('leave') { |**| exit(3) }
      B = step_handler('abort') { |**| abort('bad') }
      C = step_handler('thread_exit') { |**| Thread.exit }
      D = step_handler('interrupt') { |**| raise Interrupt }
      class MissingHandler < TaskerCore::StepHandler::Base; end
      E = step_handler('echo') { |context:| context.context }
    RUBY
    with_handlers(code) do |folder|
      ChildWorker.run(handlers: [folder], slots: 2) do |worker|
        2.times do
          {'leave' => 'handler', 'abort' => 'handler', 'interrupt' => 'handler', 'missing_handler' => 'handler',
           'thread_exit' => 'panic'}.each do |callable, kind|
            header, = worker.answer(worker.step(callable))
            assert_equal ['error', kind, true], header.values_at('type', 'kind', 'retryable'), callable
          end
        end
        assert_equal({'a' => 1}, worker.answer(worker.step('echo', {'a' => 1}))[1])
      end
    end
  end

  def test_an_exception_thrown_at_an_idle_worker_costs_nothing
    code = <<~RUBY
      A = step_handler('late') { |**| worker = Thread.current; Thread.new { sleep 0.1; worker.raise('too late') }; {} }
      B = step_handler('killer') { |**| worker = Thread.current; Thread.new { sleep 0.1; worker.kill }; {} }
      E = step_handler('echo') { |context:| context.context }
    RUBY
    with_handlers(code) do |folder|
      ChildWorker.run(handlers: [folder], slots: 1) do |worker|
        %w[late killer].each do |callable|
          worker.answer(worker.step(callable))
          sleep(0.3) # the exception has hit by then, or the next step gets it and fails: both are answers
          worker.answer(worker.step('echo'))
          assert_equal({'a' => 1}, worker.answer(worker.step('echo', {'a' => 1}))[1])
        end
      end
    end
  end

  def test_exit_bang_closes_the_channel
    ChildWorker.run do |worker|
      worker.step('reference.exit', {'code' => 7})
      worker.rest
      assert_equal 7, worker.wait.exitstatus
    end
  end

  def test_kill_closes_the_channel_though_a_child_of_the_handler_lives
    with_handlers("H = step_handler('spawn') { |**| {pid: spawn('sleep 30')} }") do |folder|
      ChildWorker.run(handlers: [folder]) do |worker|
        grandchild = worker.answer(worker.step('spawn'))[1]['pid']
        Process.kill('KILL', worker.pid)
        assert_kind_of Array, worker.rest
        assert_equal 9, worker.wait.termsig
        Process.kill('KILL', grandchild)
      end
    end
  end

  def test_forked_children_leave_the_channel_alone
    code = <<~RUBY
      A = step_handler('fork_block') { |**| pid = fork { puts 'in the child'; exit!(5) }; {status: Process.wait2(pid).last.exitstatus} }
      B = step_handler('fork_return') { |**| pid = fork; next({child: true}) if pid.nil?; {child: false, status: Process.wait2(pid).last.exitstatus} }
      C = step_handler('fork_term') { |**| pid = fork { sleep }; Process.kill('TERM', pid); {signal: Process.wait2(pid).last.termsig} }
    RUBY
    with_handlers(code) do |folder|
      ChildWorker.run(handlers: [folder]) do |worker|
        assert_equal({'status' => 5}, worker.answer(worker.step('fork_block'))[1])
        assert_equal({'child' => false, 'status' => 0}, worker.answer(worker.step('fork_return'))[1])
        assert_equal({'signal' => 15}, worker.answer(worker.step('fork_term'))[1])
      end
    end
  end

  def test_bad_messages_get_a_nack_and_ten_of_them_a_bye
    ChildWorker.run do |worker|
      worker.put('type' => 'from_the_future')
      assert_equal 'unsupported', worker.take('nack').header['code']
      worker.put('type' => 'cancel', 'delivery_id' => 'x')
      assert_equal 'missing_field', worker.take('nack').header['code']
      worker.write([8, 4].pack('NN') + 'oops')
      assert_equal 'bad_header', worker.take('nack').header['code']
      assert_equal 'result', worker.answer(worker.step('reference.echo')).first['type']
      7.times { worker.put('type' => 'from_the_future') }
      assert_equal 'protocol_error', worker.take('bye').header['code']
      assert_equal 1, worker.wait.exitstatus
    end
  end

  def test_bytes_that_are_no_frame_end_the_connection
    ChildWorker.run do |worker|
      worker.write("hello\n")
      assert_equal 'bad_frame', worker.take('bye').header['code']
      assert_equal 1, worker.wait.exitstatus
    end
  end

  def test_a_frame_over_the_limit_is_passed_over
    worker = ChildWorker.new
    worker.greet(max_frame: 4096)
    worker.answer(worker.step('reference.echo')) # the limit is in force once `welcome` has been read
    id = worker.step('reference.echo', {'x' => 'y' * 10_000})
    header = worker.take('nack').header
    assert_equal ['too_large', 'step', id], header.values_at('code', 'ref_type', 'ref_id')
    assert_equal 'result', worker.answer(worker.step('reference.echo')).first['type']
  ensure
    worker&.finish
  end

  def test_more_steps_than_slots_and_repeated_ids_are_refused
    ChildWorker.run(slots: 1) do |worker|
      id = worker.step('reference.sleep', {'ms' => 60_000})
      second = worker.step('reference.echo')
      assert_equal ['no_slot', second], worker.take('nack').header.values_at('code', 'ref_id')
      worker.step('reference.echo', delivery_id: id)
      assert_equal 'duplicate_delivery', worker.take('nack').header['code']
    end
  end

  def test_steps_in_one_write_with_the_welcome_are_not_lost
    worker = ChildWorker.new
    frame = TaskerCore::Internal::Protocol::Frame
    worker.put('type' => 'challenge', 'protocols' => [1], 'features' => [], 'host_id' => 'h', 'nonce' => '0' * 32, 'auth' => 'none', 'max_frame' => 65_536)
    worker.take('hello')
    welcome = {'type' => 'welcome', 'protocol' => 1, 'features' => [], 'connection_id' => 'c', 'max_frame' => 65_536, 'ping_ms' => 1, 'lease_ms' => 1, 'resume_ms' => 0}
    worker.write(frame.encode(welcome) + frame.encode({'type' => 'ping', 'n' => 5}))
    assert_equal 5, worker.take('pong').header['n']
  ensure
    worker&.finish
  end

  def test_heartbeats_while_a_step_that_wants_them_runs
    ChildWorker.run do |worker|
      id = worker.step('reference.sleep', {'ms' => 600}, heartbeat_ms: 100)
      assert_equal [{'id' => id}], worker.take('beat').header['deliveries']
      assert_equal 'result', worker.answer(id).first['type']
    end
  end

  def test_rejected_and_misused
    worker = ChildWorker.new
    worker.put('type' => 'challenge', 'protocols' => [9], 'features' => [], 'host_id' => 'h', 'nonce' => '0' * 32, 'auth' => 'none', 'max_frame' => 65_536)
    worker.take('hello')
    worker.put('type' => 'reject', 'code' => 'version', 'message' => 'speak 9')
    assert_equal 2, worker.wait.exitstatus
    assert_includes worker.output, 'speak 9'
  ensure
    worker&.finish
  end

  private

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
