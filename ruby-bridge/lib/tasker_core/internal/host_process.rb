# frozen_string_literal: true

require 'json'
require 'rbconfig'
require 'securerandom'
require 'shellwords'
require 'tmpdir'

module TaskerCore
  module Internal
    # Starts a `tasker worker` for this program and stops it when the program ends. The host lives under a guard that
    # holds a pipe from this process, so it cannot be left over.
    class HostProcess
      START_SECONDS = 60
      STOP_SECONDS = 32
      GUARD = File.expand_path('host_guard.rb', __dir__)
      private_constant :GUARD

      # @return [String] where the host waits for this process, as `TASKER_BRIDGE` names it
      attr_reader :address
      # @return [String]
      attr_reader :token
      # @return [Integer, nil] of the guard
      attr_reader :pid

      # @param env [Hash, ENV]
      def initialize(env: ENV)
        @env = env
        @token = SecureRandom.hex(32)
        @exited = Thread::Queue.new
      end

      # Returns once the host listens.
      # @raise [Errors::ConfigurationError] with what the host said last
      def start
        # 0700, so nobody else reaches the socket or the token.
        @folder = Dir.mktmpdir('tasker-worker-')
        @address = "unix:#{File.join(@folder, 'bridge.sock')}"
        token_file = File.join(@folder, 'token')
        File.write(token_file, @token, perm: 0o600)
        command = [*program, 'worker', '--json', '--join', @address, '--join-token', token_file]
        launch(command)
        wait_until_ready(command)
      rescue StandardError
        stop
        raise
      end

      def alive? = !@pid.nil?

      # Asks the host to end, and waits. Does nothing the second time.
      # @return [void]
      def stop
        @input&.close
        if @waiter && !@waiter.join(STOP_SECONDS)
          Process.kill('KILL', -@waiter.pid)
          @waiter.join
        end
        @pid = nil
        @reader&.join(1)
        @output&.close
        FileUtils.rm_rf(@folder) if @folder
      rescue Errno::ESRCH
        nil
      end

      private

      # Ctrl-C is for the program, which then stops its host in order: hence a group of its own.
      def launch(command)
        guard_input, @input = IO.pipe
        @output, guard_output = IO.pipe
        @pid = Process.spawn(RbConfig.ruby, '--disable-gems', GUARD, @folder, *command, in: guard_input, out: guard_output, pgroup: true)
        @waiter = Process.detach(@pid)
      rescue SystemCallError => e
        raise Errors::ConfigurationError, "`#{command.shelljoin}` cannot be started: #{e.message}"
      ensure
        guard_input&.close
        guard_output&.close
      end

      # The reader goes on after the first line: a full pipe would stop the host.
      def wait_until_ready(command)
        first = Thread::Queue.new
        @reader = Thread.new { read_events(first) }
        seconds = Float(@env['TASKER_HOST_START_SECONDS'] || START_SECONDS)
        timer = Thread.new { sleep(seconds) and first << {'error' => "it was not ready within #{seconds} s"} }
        said = first.pop
        timer.kill
        return if said['event'] == 'ready'

        why = said['error'].is_a?(Hash) ? said['error']['message'] : said['error'] || 'it ended'
        raise Errors::ConfigurationError,
              "the host `#{command.shelljoin}` did not start: #{why}. Its log is on standard error; DATABASE_URL must name a " \
              'database that `tasker db migrate` has prepared'
      end

      def read_events(first)
        while (line = @output.gets)
          event = parsed(line)
          first << event if event.key?('event') || event.key?('error')
        end
      rescue IOError
        nil # closed by `stop`
      ensure
        first << {}
      end

      def parsed(line)
        value = JSON.parse(line)
        value.is_a?(Hash) ? value : {}
      rescue JSON::ParserError
        {}
      end

      # `TASKER_BIN` (words), else `tasker` on the PATH, else the build of this checkout.
      def program
        named = @env['TASKER_BIN'].to_s
        return named.shellsplit unless named.empty?
        return ['tasker'] if executable?('tasker')

        built = File.expand_path('../../../../core/bin/tasker.js', __dir__)
        return ['node', built] if File.file?(built) && executable?('node')

        raise Errors::ConfigurationError,
              'there is no Tasker host to run steps for: install `tasker` on the PATH, name it in TASKER_BIN, or set ' \
              'TASKER_BRIDGE=unix:<path> to join a worker that runs already'
      end

      def executable?(name)
        @env['PATH'].to_s.split(File::PATH_SEPARATOR).any? { |folder| File.executable?(File.join(folder, name)) }
      end
    end
  end
end
