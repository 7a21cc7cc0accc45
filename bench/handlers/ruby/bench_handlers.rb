# frozen_string_literal: true

# Steps for the benchmarks: trivial ones, which add one to what came before, and a busy one.
include TaskerCore::StepHandler::Functional

RbStepHandler = step_handler("bench.rb_step", depends_on: {previous: "two"}) do |previous:, context:|
  {n: previous["n"] + 1}
end

# `ms` of this thread's processor time, however long the clock says it takes.
BurnHandler = step_handler("bench.ruby_burn", inputs: %w[ms]) do |ms:, context:|
  stop = Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID) + ms / 1000.0
  turns = 0
  turns += 1 while Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID) < stop
  {turns: turns}
end
