# frozen_string_literal: true

module TaskerCore
  module DomainEvents
    # The handler's result as it is: what events have whose template names no publisher.
    class DefaultPublisher < BasePublisher
      NAME = 'DefaultDomainEventPublisher'

      def name = NAME
    end
  end
end
