# frozen_string_literal: true

# Runs a program of a test's own that starts its worker itself, against a host double.
module WorkerProgram
  ROOT = File.expand_path('../..', __dir__)
  DOUBLE = File.expand_path('host_double.rb', __dir__)
  DEADLINE_SECONDS = 30

  # What is running, and what the host heard.
  Running = Struct.new(:pid, :log, :output) do
    # @return [Array<Hash>] entries of the host's log
    def entries = File.exist?(log) ? File.readlines(log).map { |line| JSON.parse(line) } : []
    def messages(*types) = entries.select { |entry| entry['header'] && types.include?(entry['header']['type']) }
    def host_pid = entries.first['pid']
    def text = File.read(output)

    def wait_for(what)
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + DEADLINE_SECONDS
      until (found = yield)
        raise "#{what} did not happen; host heard #{entries.map { |e| e.dig('header', 'type') }}; output: #{text}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

        sleep(0.02)
      end
      found
    end

    def wait = wait_for('its end') { Process.wait2(pid, Process::WNOHANG)&.last }.tap { self.pid = nil }
  end

  def run_program(code, steps: [], env: {})
    Dir.mktmpdir do |folder|
      program = File.join(folder, 'program.rb')
      File.write(program, "$stdout.sync = true\nrequire 'tasker_core'\ninclude TaskerCore::StepHandler::Functional\n#{code}")
      running = Running.new(nil, File.join(folder, 'host.log'), File.join(folder, 'output'))
      running.pid = spawn({'TASKER_BIN' => "#{RbConfig.ruby} #{DOUBLE}", 'HOST_DOUBLE_LOG' => running.log,
                           'HOST_DOUBLE_STEPS' => JSON.generate(steps), 'TMPDIR' => folder, **env},
                          RbConfig.ruby, '-W', '-I', "#{ROOT}/lib", program, %i[out err] => running.output, chdir: folder, pgroup: true)
      yield running
    ensure
      stop(running) if running&.pid
    end
  end

  def alive?(pid)
    Process.kill(0, pid)
    true
  rescue Errno::ESRCH
    false
  end

  private

  def stop(running)
    Process.kill('KILL', -running.pid)
    Process.wait(running.pid)
  rescue Errno::ESRCH, Errno::ECHILD
    nil
  end
end
