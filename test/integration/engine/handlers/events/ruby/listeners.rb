# frozen_string_literal: true

require "tasker"

# Handlers, publishers and subscribers. What they see goes to the file that the task's context names.
module Listeners
  def self.write(path, **line)
    File.open(path, "a") { |log| log.write("#{JSON.generate(line)}\n") } if path
  end
end

include TaskerCore::StepHandler::Functional

EmitHandler = step_handler("events.emit") { |context:| {n: 1, big: 2**60, log: context.get_input("log")} }

FlakyHandler = step_handler("events.flaky") do |context:|
  raise TaskerCore::Errors::RetryableError, "once more" if context.retry_count.zero?

  {n: 2, log: context.get_input("log")}
end

BrokenHandler = step_handler("events.broken") do |context:|
  raise TaskerCore::Errors::PermanentError, "never"
end

class Audit < Tasker::EventSubscriber::Base
  subscribe_to "step.*", "task.*"

  def handle(event)
    Listeners.write(event[:context]["log"], lifecycle: event[:type], event: event)
  end

  def handle_step_completed(event)
    Listeners.write(event[:context]["log"], lifecycle: event[:type], by: "method", event: event)
  end
end

class Faulty < Tasker::EventSubscriber::Base
  subscribe_to "step.completed"

  def handle_step_completed(event)
    Process.kill("KILL", Process.pid) if event[:context]["die"]
    sleep(0.02) if event[:context]["slow"]
    raise "a listener that always fails"
  end
end

class Orders < TaskerCore::DomainEvents::BaseSubscriber
  subscribes_to "order.*"

  def handle(event)
    Listeners.write(event[:task_sequence_step].dig("task", "task", "context", "log"),
      domain: event[:event_name], payload: event[:business_payload],
      fired_by: event[:metadata][:fired_by], audience: event[:metadata][:audience])
  end
end

class FaultyOrders < TaskerCore::DomainEvents::BaseSubscriber
  subscribes_to "order.shaped"

  def handle(_event)
    raise "a subscriber that always fails"
  end
end

class Shaping < TaskerCore::DomainEvents::BasePublisher
  def name = "Shaping"

  def transform_payload(step_result, _declaration, step_context = nil)
    result = step_result[:result]
    {order: result[:n], step: step_context.step_name, big: result[:big]}
  end

  def additional_metadata(step_result, _declaration, _context = nil)
    {audience: "finance", log: step_result[:result][:log]}
  end

  def after_publish(event_name, _payload, metadata)
    Listeners.write(metadata[:log], after: event_name)
  end
end

class Declining < TaskerCore::DomainEvents::BasePublisher
  def name = "Declining"
  def should_publish?(*) = false
end

class Throwing < TaskerCore::DomainEvents::BasePublisher
  def name = "Throwing"
  def transform_payload(*) = raise("cannot shape this")
end
