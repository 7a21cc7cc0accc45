# frozen_string_literal: true

# Steps per second through one handler process, over a socket pair as fd 3, against a host that does nothing but
# count: `ruby bench/echo.rb [slots] [bytes] [seconds]`. The host shares the machine, so the figure is a floor.

require 'json'
require 'socket'

slots = (ARGV[0] || 64).to_i
bytes = (ARGV[1] || 300).to_i
seconds = (ARGV[2] || 3).to_f
root = File.expand_path('..', __dir__)

def frame(header, body = '')
  text = JSON.generate(header)
  [4 + text.bytesize + body.bytesize, text.bytesize].pack('NN') + text.b + body.b
end

host, child = Socket.pair(:UNIX, :STREAM)
pid = spawn({'TASKER_BRIDGE' => 'fd:3'}, 'ruby', *ENV.fetch('RUBY_FLAGS', '').split, '-I', "#{root}/lib", "#{root}/exe/tasker-bridge",
            '--handlers', "#{root}/examples/reference_handlers", '--slots', ENV.fetch('SLOTS', slots.to_s), 3 => child)
child.close

buffer = String.new
read = lambda do
  loop do
    if buffer.bytesize >= 4 && buffer.bytesize >= (length = buffer.unpack1('N')) + 4
      whole = buffer.byteslice(4, length)
      buffer = buffer.byteslice(4 + length, buffer.bytesize)
      header_bytes = whole.unpack1('N')
      break [JSON.parse(whole.byteslice(4, header_bytes)), whole.byteslice(4 + header_bytes, whole.bytesize)]
    end
    buffer << host.readpartial(262_144)
  end
end

host.write(frame({type: 'challenge', protocols: [1], features: [], host_id: 'bench', nonce: '0' * 32, auth: 'none', max_frame: 1 << 24}))
read.call
host.write(frame({type: 'welcome', protocol: 1, features: [], connection_id: 'c', max_frame: 1 << 24, ping_ms: 5000, lease_ms: 30_000, resume_ms: 0}))

uuid = '01890a5d-ac96-774b-bcce-b302099a8057'
callable = ENV.fetch('CALLABLE', 'reference.echo') # with reference.sleep: steps that wait 5 ms
context = {ms: 5, order_id: 42, items: [{sku: 'A-1', quantity: 2, price: 9.5}], note: 'x' * [bytes - 100, 0].max}
body = JSON.generate(
  task: {task: {task_uuid: uuid, context: context, correlation_id: uuid}, task_name: 't', task_version: '1.0.0', namespace_name: 'bench'},
  workflow_step: {workflow_step_uuid: uuid, name: 'echo', attempts: 0, max_attempts: 3, inputs: nil, results: nil, checkpoint: nil},
  dependency_results: {}, step_definition: {name: 'echo', handler: {callable: callable, initialization: {}}}
)
number = 0
step = lambda do
  number += 1
  frame({type: 'step', delivery_id: format('%036d', number), task_uuid: uuid, step_uuid: uuid, correlation_id: uuid, callable: callable,
         pool: 'default', attempt: 1, max_attempts: 3, timeout_ms: 30_000, lease_ms: 30_000}, body)
end

one = []
200.times do
  at = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  host.write(step.call)
  header, = read.call
  raise header.inspect unless header['type'] == 'result'
  host.write(frame({type: 'ack', items: [{id: header['delivery_id'], kind: 'result', status: 'committed'}]}))
  one << Process.clock_gettime(Process::CLOCK_MONOTONIC) - at
end
one.sort!

# The counting loop does as little as a host can: prepared steps with a fresh id, ids found by position.
template = step.call
id_at = template.index(format('%036d', number))
next_step = lambda do
  number += 1
  template[id_at, 36] = format('%036d', number)
  template
end
out = String.new
slots.times { out << next_step.call }
host.write(out)
done = 0
cpu = -> { File.read("/proc/#{pid}/stat").split[13, 2].sum(&:to_i) / 100.0 }
cpu_before = cpu.call
started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
buffer = String.new
chunk = String.new
while Process.clock_gettime(Process::CLOCK_MONOTONIC) - started < seconds
  # One read, then all complete frames in it answered by one write, as the host does per tick.
  buffer << host.readpartial(262_144, chunk)
  out.clear
  acks = []
  offset = 0
  size = buffer.bytesize
  while size - offset >= 8 && size - offset >= (length = buffer.unpack1('N', offset: offset)) + 4
    acks << buffer.byteslice(offset + 8 + 32, 36)
    out << next_step.call
    done += 1
    offset += 4 + length
  end
  buffer = buffer.byteslice(offset, size)
  acks.each_slice(256) do |ids|
    items = ids.map { |id| %({"id":"#{id}","kind":"result","status":"committed"}) }.join(',')
    header = %({"type":"ack","items":[#{items}]})
    out << [4 + header.bytesize, header.bytesize].pack('NN') << header
  end
  host.write(out)
end
elapsed = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
used = cpu.call - cpu_before
abort "ids were read wrongly: #{acks.first.inspect}" unless acks.empty? || acks.first.match?(/\A\d{36}\z/)
puts format("#{callable}: slots %d, step body %d B: %.0f steps/s; handler CPU %.1f us/step (%.0f %%); 1 in flight p50 %.0f us p99 %.0f us",
            slots, body.bytesize, done / elapsed, used / done * 1e6, used / elapsed * 100, one[100] * 1e6, one[197] * 1e6)
host.close
Process.wait(pid)
