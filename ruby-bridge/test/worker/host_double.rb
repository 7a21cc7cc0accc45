#!/usr/bin/env ruby
# frozen_string_literal: true

# Stands in for `tasker worker`: takes `worker --json --join unix:<path> --join-token <file>`, lets one handler process
# in with proofs, gives it the steps of $HOST_DOUBLE_STEPS (JSON: callable => context) and appends what it says to
# $HOST_DOUBLE_LOG, one JSON object per line. Ends with SIGTERM as the real one does: drain first.

require 'json'
require 'socket'
require_relative '../../lib/tasker_core'
require_relative '../../lib/tasker_core/internal/runtime'

include TaskerCore::Internal # rubocop:disable Style/MixinUsage

options = ARGV.drop(1)
path = options[options.index('--join') + 1].delete_prefix('unix:')
token = File.read(options[options.index('--join-token') + 1]).strip
log = File.open(ENV.fetch('HOST_DOUBLE_LOG'), 'a').tap { |file| file.sync = true }
log.puts(JSON.generate({'pid' => Process.pid, 'argv' => ARGV}))

case ENV['HOST_DOUBLE_MODE']
when 'fails'
  puts JSON.generate({'error' => {'code' => 'DATABASE_UNREACHABLE', 'message' => 'no database'}})
  exit 1
when 'silent' then sleep
end

server = UNIXServer.new(path)
puts JSON.generate({'event' => 'ready'})
$stdout.flush
socket = server.accept
reader = Protocol::FrameReader.new
put = ->(header, body = nil) { socket.write(Protocol::Frame.encode(header, body)) }
Signal.trap('TERM') { put.call({'type' => 'drain', 'grace_ms' => 2000, 'reason' => 'SIGTERM'}) } if ENV['HOST_DOUBLE_MODE'] != 'deaf'
nonce = 'ab' * 16
put.call({'type' => 'challenge', 'protocols' => [1], 'features' => [], 'host_id' => 'double', 'nonce' => nonce, 'auth' => 'hmac', 'max_frame' => 1 << 20})

receive = lambda do |message|
  header = message.header
  log.puts(JSON.generate({'header' => header, 'body' => message.body}))
  case header['type']
  when 'hello'
    proof = Protocol::Handshake.proof(token, 'handler', nonce, header['nonce'])
    next put.call({'type' => 'reject', 'code' => 'auth', 'message' => 'wrong proof'}) unless header['proof'] == proof

    put.call({'type' => 'welcome', 'protocol' => 1, 'features' => [], 'connection_id' => 'joined-1', 'max_frame' => 1 << 20, 'ping_ms' => 5000,
              'lease_ms' => 30_000, 'resume_ms' => 0, 'proof' => Protocol::Handshake.proof(token, 'host', header['nonce'], nonce)})
    JSON.parse(ENV.fetch('HOST_DOUBLE_STEPS', '[]')).each_with_index do |(callable, context), index|
      put.call({'type' => 'step', 'delivery_id' => format('01890a5d-ac96-774b-bcce-%012d', index), 'task_uuid' => 'task-1', 'step_uuid' => "step-#{index}",
                'correlation_id' => 'corr-1', 'callable' => callable, 'pool' => 'default', 'attempt' => 1, 'max_attempts' => 3, 'timeout_ms' => 30_000,
                'lease_ms' => 30_000, 'traceparent' => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'},
               JSON.generate({'task' => {'task' => {'task_uuid' => 'task-1', 'context' => context}, 'task_name' => 't', 'namespace_name' => 'n'},
                              'workflow_step' => {'workflow_step_uuid' => "step-#{index}", 'name' => 's'}, 'dependency_results' => {},
                              'step_definition' => {'name' => 's', 'handler' => {'callable' => callable, 'initialization' => {}}}}))
    end
  when 'result', 'error', 'checkpoint'
    put.call({'type' => 'ack', 'items' => [{'id' => header['delivery_id'], 'kind' => header['type'], 'status' => 'committed'}]})
  when 'ping' then put.call({'type' => 'pong', 'n' => header['n']})
  when 'bye' then exit 0
  end
end

begin
  loop { reader.feed(socket.readpartial(65_536), &receive) }
rescue EOFError, Errno::ECONNRESET
  exit 0
end
