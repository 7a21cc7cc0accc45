# frozen_string_literal: true

# Writes the domain events that this process sees to a file of its language, a line each.
class EventLog < TaskerCore::DomainEvents::BaseSubscriber
  subscribes_to "*"

  def handle(event)
    File.write("#{ENV.fetch("SHAPES_EVENTS")}.ruby", "#{event[:metadata][:task_uuid]} #{event[:event_name]}\n", mode: "a")
  end
end
