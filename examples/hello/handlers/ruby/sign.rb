# frozen_string_literal: true

include TaskerCore::StepHandler::Functional

SignHandler = step_handler("hello.sign", depends_on: {greet: "greet", count: "count"}) do |greet:, count:, context:|
  raise TaskerCore::Errors::RetryableError, "no ink yet" if count["letters"].zero?

  {text: "#{greet["greeting"]} (#{count["letters"]} letters)", signed_by: "Ruby"}
end
