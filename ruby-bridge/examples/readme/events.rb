require 'tasker'

class Audit < Tasker::EventSubscriber::Base            # what happens to tasks and steps
  subscribe_to 'step.completed', 'task.*'
  def handle_step_completed(event) = puts(event[:step_name], event[:result])
end

class Paid < TaskerCore::DomainEvents::BasePublisher   # a template says `publisher: Paid`
  def name = 'Paid'
  def transform_payload(step_result, _declaration, _context = nil) = {order: step_result[:result][:id]}
end

class Mail < TaskerCore::DomainEvents::BaseSubscriber  # events that are published `fast` or `broadcast`
  subscribes_to 'order.*'
  def handle(event) = puts(event[:business_payload])
end
