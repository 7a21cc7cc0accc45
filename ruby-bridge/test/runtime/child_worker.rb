# frozen_string_literal: true

require 'socket'
require 'tempfile'
require 'tmpdir'

# A real `tasker-bridge` process; the test is its host. The channel is a real socket pair as fd 3 unless `lane` says
# another: `:stdio`, `:unix` or `:tcp`, the last two with a token.
class ChildWorker
  ROOT = File.expand_path('../..', __dir__)
  REFERENCE = File.join(ROOT, 'examples/reference_handlers')
  DEADLINE_SECONDS = 20
  NONCE = '0123456789abcdef' * 2
  Frame = TaskerCore::Internal::Protocol::Frame

  attr_reader :pid, :hello, :handlers, :socket

  def self.run(**options)
    worker = new(**options)
    worker.greet
    yield worker
  ensure
    worker&.finish
  end

  def initialize(handlers: [REFERENCE], slots: 8, env: {}, arguments: [], lane: :fd, token: nil)
    @output = Tempfile.new('tasker-child')
    @token = token
    paths = handlers.flat_map { |path| ['--handlers', path] }
    @command = ['ruby', '-W', '-I', "#{ROOT}/lib", "#{ROOT}/exe/tasker-bridge", *paths, '--slots', slots.to_s, *arguments]
    @env = env
    send(:"open_#{lane}")
    @reader = TaskerCore::Internal::Protocol::FrameReader.new
    @inbox = []
    @number = 0
  end

  def greet(max_frame: Frame::DEFAULT_MAX_FRAME)
    put('type' => 'challenge', 'protocols' => [1], 'features' => [], 'host_id' => 'test', 'nonce' => NONCE,
        'auth' => @token ? 'hmac' : 'none', 'max_frame' => max_frame)
    message = take('hello')
    @hello = message.header
    @handlers = JSON.parse(message.body)
    put({'type' => 'welcome', 'protocol' => 1, 'features' => [], 'connection_id' => 'c1', 'max_frame' => max_frame,
         'ping_ms' => 5000, 'lease_ms' => 30_000, 'resume_ms' => 0, 'proof' => (yield(@hello) if block_given?) || own_proof}.compact)
  end

  def put(header, body = nil) = @socket.write(Frame.encode(header, body))
  def write(bytes) = @socket.write(bytes)

  # @return [String] delivery id
  def step(callable, context = {}, body: nil, inputs: nil, initialization: {}, checkpoint: nil, dependencies: {}, method: nil, **header)
    @number += 1
    id = format('01890a5d-ac96-774b-bcce-%012d', @number)
    put({'type' => 'step', 'delivery_id' => id, 'task_uuid' => 'task-1', 'step_uuid' => 'step-1', 'correlation_id' => 'corr-1',
         'callable' => callable, 'method' => method, 'pool' => 'default', 'attempt' => 1, 'max_attempts' => 3, 'timeout_ms' => 30_000,
         'lease_ms' => 30_000, **header.transform_keys(&:to_s)}.compact,
        body || JSON.generate(
          'task' => {'task' => {'task_uuid' => 'task-1', 'context' => context}, 'task_name' => 't', 'task_version' => '1.0.0', 'namespace_name' => 'n'},
          'workflow_step' => {'workflow_step_uuid' => 'step-1', 'name' => 's', 'attempts' => 0, 'max_attempts' => 3, 'inputs' => inputs,
                              'checkpoint' => checkpoint},
          'dependency_results' => dependencies,
          'step_definition' => {'name' => 's', 'handler' => {'callable' => callable, 'method' => method, 'initialization' => initialization}}
        ))
    id
  end

  def ack(id, kind = 'result') = put('type' => 'ack', 'items' => [{'id' => id, 'kind' => kind, 'status' => 'committed'}])

  # The next message of a type; others are kept. With an id, the one about that delivery.
  def take(type, id = nil)
    deadline = now + DEADLINE_SECONDS
    loop do
      index = @inbox.index { |m| m.header['type'] == type && (id.nil? || m.header['delivery_id'] == id) }
      return @inbox.delete_at(index) if index

      receive(deadline) or raise "channel closed while waiting for #{type}; had #{@inbox.map { |m| m.header['type'] }}; output: #{output}"
    end
  end

  # The terminal message of a delivery, acknowledged: header, value and detail.
  def answer(id)
    deadline = now + DEADLINE_SECONDS
    loop do
      index = @inbox.index { |m| %w[result error checkpoint].include?(m.header['type']) && m.header['delivery_id'] == id }
      if index
        message = @inbox.delete_at(index)
        ack(id, message.header['type'])
        return parts(message)
      end
      receive(deadline) or raise "channel closed while waiting for an answer; output: #{output}"
    end
  end

  # What is left on the channel until its end.
  def rest
    deadline = now + DEADLINE_SECONDS
    nil while receive(deadline)
    @inbox.map { |message| message.header['type'] }
  end

  # @return [Array] messages read so far, in order
  def seen = @inbox

  def close = @socket.close

  # @return [Process::Status]
  def wait
    deadline = now + DEADLINE_SECONDS
    until (status = Process.wait2(@pid, Process::WNOHANG)&.last)
      raise "process #{@pid} does not end; output: #{output}" if now > deadline

      sleep(0.01)
    end
    @pid = nil
    status
  end

  def output = File.read(@output.path)

  def finish
    @socket.close unless @socket.closed?
    return if @pid.nil?

    Process.kill('KILL', -@pid)
    Process.wait(@pid)
  rescue Errno::ESRCH, Errno::ECHILD
    nil
  ensure
    @output.close!
    FileUtils.rm_rf(@folder) if @folder
  end

  private

  def open_fd
    @socket, theirs = Socket.pair(:UNIX, :STREAM)
    @pid = spawn({'TASKER_BRIDGE' => 'fd:3', **@env}, *@command, 3 => theirs, %i[out err] => @output.path, pgroup: true)
    theirs.close
  end

  def open_stdio
    @socket, theirs = Socket.pair(:UNIX, :STREAM)
    @pid = spawn({'TASKER_BRIDGE' => 'stdio', **@env}, *@command, %i[in out] => theirs, err: @output.path, pgroup: true)
    theirs.close
  end

  def open_unix
    @folder = Dir.mktmpdir('tasker-unix')
    path = File.join(@folder, 'bridge.sock')
    join(UNIXServer.new(path), "unix:#{path}")
  end

  def open_tcp
    server = TCPServer.new('127.0.0.1', 0)
    join(server, "tcp:127.0.0.1:#{server.addr[1]}")
  end

  def join(server, address)
    file = Tempfile.new('tasker-token')
    file.write("#{@token}\n")
    file.flush
    env = @token ? {'TASKER_BRIDGE_TOKEN_FILE' => file.path} : {}
    @pid = spawn({'TASKER_BRIDGE' => address, **env, **@env}, *@command, in: File::NULL, %i[out err] => @output.path, pgroup: true)
    raise "nobody joined; output: #{output}" unless server.wait_readable(DEADLINE_SECONDS)

    @socket = server.accept
  ensure
    server.close
  end

  def own_proof
    TaskerCore::Internal::Protocol::Handshake.proof(@token, 'host', @hello['nonce'], NONCE) if @token
  end

  def parts(message)
    split = message.header['split'] || (message.header['type'] == 'checkpoint' ? message.body.bytesize : 0)
    value = message.body.byteslice(0, split)
    detail = message.body.byteslice(split, message.body.bytesize)
    [message.header, value.empty? ? nil : JSON.parse(value), detail.empty? ? {} : JSON.parse(detail)]
  end

  def receive(deadline)
    raise "nothing within #{DEADLINE_SECONDS} s; output: #{output}" unless @socket.wait_readable([deadline - now, 0].max)

    @reader.feed(@socket.readpartial(262_144)) { |message| @inbox << message }
    true
  rescue EOFError, Errno::ECONNRESET
    false
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

# Handlers of a test's own, in a folder that goes with it.
module HandlerFiles
  def with_handlers(code)
    Dir.mktmpdir do |folder|
      File.write(File.join(folder, 'handlers.rb'), "require 'tasker_core'\ninclude TaskerCore::StepHandler::Functional\n#{code}")
      yield folder
    end
  end
end
