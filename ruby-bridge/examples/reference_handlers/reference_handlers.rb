# frozen_string_literal: true

require 'tasker_core'

# The handlers that the host's end-to-end suite drives, the same names in every language. What they do depends
# on the task's context.
module ReferenceHandlers
  include TaskerCore::StepHandler::Functional
  extend TaskerCore::StepHandler::Functional

  # Returns the task's context.
  EchoHandler = step_handler('reference.echo') { |context:| context.context }

  # {permanent: bool, message: text, error_code: text, retry_after: seconds}
  FailHandler = step_handler('reference.fail') do |context:|
    message = context.get_input_or('message', 'reference failure')
    if context.get_input('permanent')
      raise TaskerCore::PermanentError.new(message, error_code: context.get_input('error_code'), context: {step: context.step_name})
    end

    raise TaskerCore::RetryableError.new(message, retry_after: context.get_input('retry_after'),
                                                  context: {step: context.step_name})
  end

  # {ms: number}; ends early when cancelled
  SleepHandler = step_handler('reference.sleep') do |context:|
    cancelled = context.wait_cancelled(context.get_input_or('ms', 0) / 1000.0)
    raise TaskerCore::RetryableError, "cancelled: #{context.cancel_reason}" if cancelled

    {slept_ms: context.get_input_or('ms', 0)}
  end

  # {ms: number}; keeps a processor busy, deaf to cancellation
  SpinHandler = step_handler('reference.spin') do |context:|
    stop = Process.clock_gettime(Process::CLOCK_MONOTONIC) + context.get_input_or('ms', 10) / 1000.0
    turns = 0
    turns += 1 while Process.clock_gettime(Process::CLOCK_MONOTONIC) < stop
    {turns: turns}
  end

  # Writes what looks like frames and rubbish to stdout and stderr, from here and from a child process.
  PrintHandler = step_handler('reference.print') do |**|
    $stdout.print "\x00\x00\x00\x10garbage on stdout\n"
    $stderr.print "garbage on stderr without an end"
    puts 'puts', "\xFF\xFEnot text".b
    system('echo from a child; echo to its stderr >&2; echo to fd 3 >&3 2>/dev/null')
    {printed: true}
  end

  # {code: number, soft: bool}; ends the process without answering; soft only raises SystemExit
  ExitHandler = step_handler('reference.exit') do |context:|
    code = context.get_input_or('code', 3)
    context.get_input('soft') ? exit(code) : exit!(code)
  end

  # Forks a child that returns from the handler too; only the parent's answer may count.
  ForkHandler = step_handler('reference.fork') do |**|
    child = fork
    next({who: 'child'}) if child.nil?

    {who: 'parent', child_status: Process.wait2(child).last.exitstatus}
  end

  # {bytes: number}; returns a text of that length
  BigHandler = step_handler('reference.big') { |context:| {text: 'x' * context.get_input_or('bytes', 1024)} }

  # {kind: object | nan | surrogate | nul | deep}; returns what JSON cannot carry
  BadValueHandler = step_handler('reference.bad_value') do |context:|
    deep = (1..100).inject(0) { |value, _| [value] }
    bad = {'nan' => Float::NAN, 'surrogate' => "\xED\xA0\x80", 'nul' => "a\0b", 'deep' => deep}
    {outer: [1, {inner: bad.fetch(context.get_input_or('kind', 'object')) { Object.new }}]}
  end

  # {count: number}; writes that many log records and one more
  LogHandler = step_handler('reference.log') do |context:|
    count = context.get_input_or('count', 1)
    count.times { |index| TaskerCore::Tracing.info("reference log #{index}", {'index' => index}) }
    TaskerCore::Tracing.warn('reference log done')
    {logged: count + 1}
  end

  # {count: number, ms: number}; sends heartbeats with its progress, and waits after each
  BeatHandler = step_handler('reference.beat') do |context:|
    count = context.get_input_or('count', 1)
    count.times do |index|
      context.heartbeat((index + 1).fdiv(count))
      context.wait_cancelled(context.get_input_or('ms', 0) / 1000.0)
    end
    {beats: count}
  end

  # Starts a process that outlives the step, and says which.
  SpawnHandler = step_handler('reference.spawn') do |**|
    child = spawn('sleep', '600')
    Process.detach(child)
    {pid: child}
  end

  # {yields: number}; yields at cursor 1 to `yields`, then says how often
  CheckpointHandler = step_handler('reference.checkpoint') do |context:|
    done = context.checkpoint_cursor || 0
    if done < context.get_input_or('yields', 2)
      next TaskerCore::Types::StepHandlerCallResult.checkpoint_yield(
        cursor: done + 1, items_processed: (done + 1) * 10, accumulated_results: {done: done + 1}
      )
    end

    {yields: done, accumulated: context.accumulated_results}
  end

  # {items: number, every: number, ms: number, fail_at: cursor}; adds up the items 1 to `items`, yielding after every
  # `every`; the first attempt fails at `fail_at`. Says where its chunks began and what became of numbers on the way.
  ItemsHandler = step_handler('reference.items') do |context:|
    items = context.get_input_or('items', 10)
    start = context.checkpoint_cursor || 0
    done = (context.accumulated_results || {sum: 0, starts: [], big: 9_007_199_254_740_993, weight: 3.0}).to_h.transform_keys(&:to_sym)
    if start == context.get_input('fail_at') && context.retry_count.zero?
      raise TaskerCore::RetryableError, "interrupted at item #{start}"
    end
    raise TaskerCore::RetryableError, 'cancelled' if context.wait_cancelled(context.get_input_or('ms', 0) / 1000.0)

    finish = [start + context.get_input_or('every', 3), items].min
    done[:sum] += ((start + 1)..finish).sum
    done[:starts] += [start]
    if finish < items
      next TaskerCore::Types::StepHandlerCallResult.checkpoint_yield(
        cursor: finish, items_processed: finish, accumulated_results: done
      )
    end

    {**done, retry_count: context.retry_count, is_float: done[:weight].is_a?(Float)}
  end
end
