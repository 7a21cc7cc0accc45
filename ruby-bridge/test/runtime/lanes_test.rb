# frozen_string_literal: true

require_relative '../test_helper'
require_relative 'child_worker'

# The ways to the host other than fd 3, and the proofs of those that join.
class LanesTest < Minitest::Test
  include HandlerFiles

  TOKEN = 'a-secret-nobody-prints'
  Handshake = TaskerCore::Internal::Protocol::Handshake

  def test_joins_over_a_unix_socket_with_proofs = joins(:unix)
  def test_joins_over_loopback_tcp_with_proofs = joins(:tcp)

  def test_serves_standard_input_and_output_and_keeps_prints_away_from_them
    code = <<~RUBY
      NoisyHandler = step_handler('noisy') do |context:|
        puts 'printed'
        system('echo from a child')
        $stdout.write("\\x00\\x00")
        {stdin: $stdin.read.to_s}
      end
    RUBY
    with_handlers(code) do |folder|
      ChildWorker.run(handlers: [folder], lane: :stdio) do |worker|
        assert_equal({'stdin' => ''}, worker.answer(worker.step('noisy'))[1])
        worker.put('type' => 'drain', 'grace_ms' => 5000, 'reason' => 'test')
        worker.take('bye')
        assert_equal 0, worker.wait.exitstatus
        assert_includes worker.output, "printed\n"
        assert_includes worker.output, 'from a child'
      end
    end
  end

  def test_a_host_without_the_token_gets_no_work_done
    worker = ChildWorker.new(lane: :unix, token: TOKEN)
    worker.greet { Handshake.proof('another token', 'host', worker.hello['nonce'], ChildWorker::NONCE) }
    assert_equal 2, worker.wait.exitstatus
    assert_includes worker.output, 'the host did not prove that it knows the token'
    refute_includes worker.output, TOKEN
  ensure
    worker&.finish
  end

  def test_a_host_that_asks_for_no_proof_is_refused_when_there_is_a_token
    file = Tempfile.new('token')
    file.write(TOKEN)
    file.flush
    worker = ChildWorker.new(lane: :tcp, env: {'TASKER_BRIDGE_TOKEN_FILE' => file.path})
    assert_raises(RuntimeError) { worker.greet }
    assert_equal 2, worker.wait.exitstatus
    assert_includes worker.output, 'the host asks for no proof'
  ensure
    worker&.finish
    file&.close!
  end

  def test_handlers_see_neither_the_address_nor_the_token_file
    code = "EnvHandler = step_handler('env') { |context:| {names: ENV.keys.grep(/TASKER_BRIDGE/)} }"
    with_handlers(code) do |folder|
      ChildWorker.run(handlers: [folder], lane: :unix, token: TOKEN) do |worker|
        assert_equal({'names' => []}, worker.answer(worker.step('env'))[1])
      end
    end
  end

  def test_addresses_that_cannot_be_used
    {'unix:/nowhere/at/all.sock' => 'cannot be used', 'tcp:192.0.2.1:9' => 'another machine', 'tcp:127.0.0.1:1' => 'cannot be reached',
     'fd:99' => 'fd "99"', 'pigeon:1' => 'expected fd:<number>', nil => 'expected fd:<number>'}.each do |address, message|
      error = assert_raises(TaskerCore::Errors::ConfigurationError, address.inspect) { TaskerCore::Internal::Transport.open(address) }
      assert_includes error.message, message
    end
  end

  def test_the_token_is_only_read_from_a_file_of_ones_own
    Tempfile.create('token') do |file|
      file.write("secret\n")
      file.flush
      assert_equal 'secret', TaskerCore::Internal::Transport::Token.read(file.path)
      File.chmod(0o640, file.path)
      error = assert_raises(TaskerCore::Errors::ConfigurationError) { TaskerCore::Internal::Transport::Token.read(file.path) }
      assert_includes error.message, '0640'
    end
    assert_nil TaskerCore::Internal::Transport::Token.read(nil)
    assert_raises(TaskerCore::Errors::ConfigurationError) { TaskerCore::Internal::Transport::Token.read('/nowhere') }
  end

  def test_heartbeats_carry_what_the_handler_says_about_its_progress
    code = <<~RUBY
      CountHandler = step_handler('count') do |context:|
        3.times { |done| context.heartbeat(done + 1) }
        context.wait_cancelled(60)
        {}
      end
    RUBY
    with_handlers(code) do |folder|
      ChildWorker.run(handlers: [folder]) do |worker|
        id = worker.step('count')
        assert_equal [{'id' => id, 'progress' => 3}], worker.take('beat').header['deliveries']
        worker.put('type' => 'cancel', 'delivery_id' => id, 'reason' => 'task_cancelled', 'grace_ms' => 5000)
        assert_equal 'result', worker.answer(id).first['type']
      end
    end
    context = TaskerCore::Types::StepContext.new({'task' => {}, 'workflow_step' => {}, 'step_definition' => {}})
    assert_nil context.heartbeat(0.5)
    assert_raises(ArgumentError) { context.heartbeat(Float::NAN) }
  end

  private

  def joins(lane)
    ChildWorker.run(lane: lane, token: TOKEN) do |worker|
      expected = Handshake.proof(TOKEN, 'handler', ChildWorker::NONCE, worker.hello['nonce'])
      assert_equal expected, worker.hello['proof']
      assert_equal({'n' => 1}, worker.answer(worker.step('reference.echo', {'n' => 1}))[1])
      worker.put('type' => 'drain', 'grace_ms' => 5000, 'reason' => 'test')
      worker.take('bye')
      assert_equal 0, worker.wait.exitstatus
    end
  end
end
