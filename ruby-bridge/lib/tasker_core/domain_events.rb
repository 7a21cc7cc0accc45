# frozen_string_literal: true

require_relative 'domain_events/errors'
require_relative 'domain_events/base_publisher'
require_relative 'domain_events/default_publisher'
require_relative 'domain_events/publisher_registry'
require_relative 'domain_events/base_subscriber'
require_relative 'domain_events/subscriber_registry'

module TaskerCore
  # What steps publish for other systems. The Tasker core publishes what a template declares under `publishes_events`;
  # a publisher named there only shapes the event. Subscribers get events whose `delivery_mode` is `fast` or
  # `broadcast`.
  module DomainEvents
  end
end
