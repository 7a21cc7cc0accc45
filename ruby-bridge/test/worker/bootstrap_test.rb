# frozen_string_literal: true

require 'tmpdir'
require_relative '../test_helper'
require_relative '../runtime/child_worker'
require_relative 'worker_program'

# TaskerCore::Worker::Bootstrap in programs of their own, with a host that they start.
class BootstrapTest < Minitest::Test
  include WorkerProgram

  ECHO = <<~RUBY
    TaskerCore::Registry::HandlerRegistry.instance.register_handler('echo', step_handler('echo', inputs: [:n]) { |n:, context:| {n: n} })
  RUBY

  def test_starts_a_host_runs_its_steps_and_shuts_both_down
    code = <<~RUBY
      #{ECHO}
      bridge = TaskerCore::Worker::EventBridge.instance
      bridge.subscribe_to_step_execution { |event| puts "received \#{event.payload[:event_id]} \#{event.payload[:task_sequence_step].task.context[:n]}" }
      answered = Thread::Queue.new
      bridge.subscribe('step.completion.sent') { |event| answered << [event.payload['success'], event['result']] }
      bootstrap = TaskerCore::Worker::Bootstrap.start!(slots: 4)
      raise 'not the same' unless bootstrap.equal?(TaskerCore::Worker::Bootstrap.start!)
      bootstrap.on_shutdown { puts 'hook 1' }.on_shutdown { raise 'hook fails' }.on_shutdown { puts 'hook 3' }
      p answered.pop
      p running: bootstrap.running?, healthy: bootstrap.health_check[:healthy], id: bootstrap.status[:connection_id]
      p handle: bootstrap.with_rust_handle { |process| process.running? }, processed: bootstrap.status[:steps_processed]
      bootstrap.shutdown!
      bootstrap.shutdown!
      p running: bootstrap.running?, waited: bootstrap.wait(0)
      begin
        bootstrap.with_rust_handle { }
      rescue TaskerCore::Errors::OrchestrationError => e
        puts e.message
      end
    RUBY
    run_program(code, steps: [['echo', {'n' => 7}]]) do |running|
      assert_predicate running.wait, :success?, running.text
      assert_equal '{"n":7}', running.messages('result').first['body']
      hello = running.messages('hello').first
      assert_equal ['ruby', [{'name' => 'default', 'slots' => 4, 'prefetch' => 0}]], hello['header'].values_at('language', 'pools')
      assert_includes hello['body'], '"echo"'
      assert_includes running.text, 'received 01890a5d-ac96-774b-bcce-000000000000 7'
      assert_includes running.text, '[true, {"n"=>7}]'
      assert_match(/:?running.*true.*healthy.*true.*joined-1/, running.text)
      assert_match(/hook 1.*hook 3.*running.*false.*waited.*true/m, running.text)
      assert_includes running.text, 'no worker runs in this process'
      refute alive?(running.host_pid), 'the host is left over'
      assert_empty Dir[File.join(File.dirname(running.log), 'tasker-worker-*')], 'its folder is left over'
    end
  end

  def test_a_signal_finishes_what_runs
    code = <<~RUBY
      TaskerCore::Registry::HandlerRegistry.instance.register_handler('slow', step_handler('slow') { |context:| puts 'started'; sleep 0.5; {done: true} })
      bootstrap = TaskerCore::Worker::Bootstrap.start!
      bootstrap.on_shutdown { puts 'hook' }
      sleep 0.02 while bootstrap.running?
      bootstrap.wait
      puts 'end of program'
    RUBY
    run_program(code, steps: [['slow', {}]]) do |running|
      running.wait_for('the step') { running.text.include?('started') }
      Process.kill('TERM', running.pid)
      assert_predicate running.wait, :success?, running.text
      assert_equal '{"done":true}', running.messages('result').first['body']
      assert_match(/hook\nend of program/, running.text)
      refute alive?(running.host_pid)
    end
  end

  def test_a_child_that_a_handler_forks_has_no_worker
    code = <<~RUBY
      forks = step_handler('forks') do |context:|
        reader, writer = IO.pipe
        pid = fork { writer.write(TaskerCore::FFI.worker_status['running'].to_s); exit!(0) }
        writer.close
        Process.wait(pid)
        {child: reader.read, parent: TaskerCore::FFI.worker_status['running']}
      end
      TaskerCore::Registry::HandlerRegistry.instance.register_handler('forks', forks)
      TaskerCore::Worker::Bootstrap.start!.wait
    RUBY
    run_program(code, steps: [['forks', {}]]) do |running|
      running.wait_for('the answer') { running.messages('result').any? }
      assert_equal '{"child":"false","parent":true}', running.messages('result').first['body']
      Process.kill('TERM', running.pid)
      assert_predicate running.wait, :success?, running.text
    end
  end

  def test_a_host_goes_with_its_program_even_when_that_is_killed
    run_program("#{ECHO}\nTaskerCore::Worker::Bootstrap.start!.wait") do |running|
      running.wait_for('hello') { running.messages('hello').any? }
      Process.kill('KILL', running.pid)
      running.wait
      running.wait_for("the host's end") { !alive?(running.host_pid) }
      running.wait_for('its folder to go') { Dir[File.join(File.dirname(running.log), 'tasker-worker-*')].empty? }
    end
  end

  def test_a_host_that_fails_is_reported_with_its_words
    code = "begin\n TaskerCore::Worker::Bootstrap.start!\nrescue TaskerCore::Errors::ConfigurationError => e\n puts e.message\nend\np TaskerCore::Worker::Bootstrap.instance.running?"
    {'fails' => 'did not start: no database', 'silent' => 'was not ready within 2.0 s'}.each do |mode, words|
      run_program(code, env: {'HOST_DOUBLE_MODE' => mode, 'TASKER_HOST_START_SECONDS' => '2'}.tap { |env| env.delete('TASKER_HOST_START_SECONDS') if mode == 'fails' }) do |running|
        running.wait
        assert_includes running.text, words
        assert_includes running.text, 'false'
        host = running.entries.first
        refute alive?(host['pid']) if host
      end
    end
    run_program(code, env: {'TASKER_BIN' => '/nowhere/tasker'}) do |running|
      running.wait
      assert_match(/did not start|cannot be started/, running.text)
    end
  end

  def test_joins_the_host_that_the_environment_names
    code = <<~RUBY
      #{ECHO}
      bootstrap = TaskerCore::Worker::Bootstrap.start!
      p host: bootstrap.status[:host_pid], env: ENV['TASKER_BRIDGE']
      bootstrap.wait
    RUBY
    Dir.mktmpdir do |folder|
      path = File.join(folder, 'bridge.sock')
      token = File.join(folder, 'token')
      File.write(token, 'secret', perm: 0o600)
      log = File.join(folder, 'double.log')
      host = spawn({'HOST_DOUBLE_LOG' => log, 'HOST_DOUBLE_STEPS' => '[["echo",{"n":1}]]'}, RbConfig.ruby, DOUBLE, 'worker', '--join', "unix:#{path}", '--join-token', token, out: File::NULL)
      sleep(0.02) until File.socket?(path)
      run_program(code, env: {'TASKER_BRIDGE' => "unix:#{path}", 'TASKER_BRIDGE_TOKEN_FILE' => token}) do |running|
        running.wait_for('the answer') { File.read(log).include?('"type":"result"') }
        Process.kill('TERM', host)
        assert_predicate running.wait, :success?, running.text
        assert_match(/host.*nil.*env.*nil/, running.text)
      end
    ensure
      Process.kill('KILL', host) rescue nil
      Process.wait(host)
    end
  end

  def test_finds_its_handlers_by_the_variable
    Dir.mktmpdir do |folder|
      File.write(File.join(folder, 'charge_handler.rb'), 'class ChargeHandler < TaskerCore::StepHandler::Base; def call(context) = success(result: {charged: context.get_input(:n)}); end')
      run_program('TaskerCore::Worker::Bootstrap.start!.wait(20)', steps: [['ChargeHandler', {'n' => 2}]], env: {'RUBY_HANDLER_PATH' => folder}) do |running|
        running.wait_for('the answer') { running.messages('result').any? }
        assert_equal '{"charged":2}', running.messages('result').first['body']
        Process.kill('TERM', running.pid)
        running.wait
      end
    end
  end
end
