# frozen_string_literal: true

module Tasker
  EventSubscriber = TaskerCore::EventSubscriber
end
