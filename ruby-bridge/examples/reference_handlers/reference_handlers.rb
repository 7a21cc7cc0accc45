# frozen_string_literal: true

require 'tasker_core'

# The handlers that the host's end-to-end suite drives, the same names in every language. What they do depends
# on the task's context.
module ReferenceHandlers
  include TaskerCore::StepHandler::Functional
  extend TaskerCore::StepHandler::Functional

  # Returns the task's context.
  EchoHandler = step_handler('reference.echo') { |context:| context.context }

  # {permanent: bool, message: text, code: text, retry_after: seconds}
  FailHandler = step_handler('reference.fail') do |context:|
    message = context.get_input_or('message', 'reference failure')
    if context.get_input('permanent')
      raise TaskerCore::PermanentError.new(message, error_code: context.get_input('code'), context: {step: context.step_name})
    end

    raise TaskerCore::RetryableError.new(message, retry_after: context.get_input('retry_after'),
                                                  context: {step: context.step_name})
  end

  # {ms: number}; ends early when cancelled
  SleepHandler = step_handler('reference.sleep') do |context:|
    cancelled = context.sleep_unless_cancelled(context.get_input_or('ms', 0) / 1000.0)
    raise TaskerCore::RetryableError, "cancelled: #{context.cancel_reason}" if cancelled

    {slept_ms: context.get_input_or('ms', 0), cancelled: false}
  end

  # {ms: number}; keeps a processor busy
  SpinHandler = step_handler('reference.spin') do |context:|
    stop = Process.clock_gettime(Process::CLOCK_MONOTONIC) + context.get_input_or('ms', 0) / 1000.0
    rounds = 0
    rounds += 1 while Process.clock_gettime(Process::CLOCK_MONOTONIC) < stop
    {rounds: rounds}
  end

  # Writes what looks like frames and rubbish to stdout and stderr, from here and from a child process.
  PrintHandler = step_handler('reference.print') do |**|
    $stdout.print "\x00\x00\x00\x10garbage on stdout\n"
    $stderr.print "garbage on stderr without an end"
    puts 'puts', "\xFF\xFEnot text".b
    system('echo from a child; echo to its stderr >&2; echo to fd 3 >&3 2>/dev/null')
    {printed: true}
  end

  # {code: number}; ends the process without answering
  ExitHandler = step_handler('reference.exit') { |context:| exit!(context.get_input_or('code', 1)) }

  # {bytes: number}; returns a text of that length
  BigHandler = step_handler('reference.big') { |context:| {data: 'x' * context.get_input_or('bytes', 0)} }

  # {value: 'nan' | 'object'}; returns what JSON cannot carry
  BadValueHandler = step_handler('reference.bad_value') do |context:|
    {nested: [1, context.get_input('value') == 'nan' ? Float::NAN : Object.new]}
  end

  # {message: text, count: number}; writes log records
  LogHandler = step_handler('reference.log') do |context:|
    count = context.get_input_or('count', 1)
    count.times { |number| TaskerCore::Tracing.info(context.get_input_or('message', 'reference log'), {'number' => number}) }
    {logged: count}
  end
end
