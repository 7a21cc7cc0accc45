# frozen_string_literal: true

# A step that is busy when its process is killed, in a process that has started another one.
include TaskerCore::StepHandler::Functional

CHAOS_STARTED = Thread::Queue.new

WorkHandler = step_handler("chaos.ruby", inputs: %i[n ms marker]) do |n:, ms:, marker:, context:|
  CHAOS_STARTED << spawn("sleep", "86400.#{marker}") if CHAOS_STARTED.empty?
  sleep(ms / 1000.0)
  {n: n}
end

# Starts a process and computes, whatever it is asked to.
DeafHandler = step_handler("chaos.ruby_deaf", inputs: %i[ms marker]) do |ms:, marker:, context:|
  spawn("sleep", "86400.#{marker}")
  stop = Process.clock_gettime(Process::CLOCK_MONOTONIC) + ms / 1000.0
  nil while Process.clock_gettime(Process::CLOCK_MONOTONIC) < stop
  {}
end
