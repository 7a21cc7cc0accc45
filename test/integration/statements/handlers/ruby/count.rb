# frozen_string_literal: true

# The least that a step can do.
include TaskerCore::StepHandler::Functional

Count = step_handler("count.ruby") do |context:|
  {n: 1}
end
