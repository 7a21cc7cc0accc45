# frozen_string_literal: true

# Trivial steps for the benchmarks: each adds one to what came before.
include TaskerCore::StepHandler::Functional

RbStepHandler = step_handler("bench.rb_step", depends_on: {previous: "two"}) do |previous:, context:|
  {n: previous["n"] + 1}
end
