# frozen_string_literal: true

module TaskerCore
  module DomainEvents
    # A registry that was frozen was to change.
    class RegistryFrozenError < Errors::Error; end

    # The name of a publisher is taken.
    class DuplicatePublisherError < Errors::Error; end

    # No publisher has the name.
    class PublisherNotFoundError < Errors::Error; end

    # Publishers that templates name are not registered.
    class ValidationError < Errors::Error
      # @return [Array<String>]
      attr_reader :missing_publishers, :registered_publishers

      def initialize(message, missing_publishers: [], registered_publishers: [])
        super(message)
        @missing_publishers = missing_publishers
        @registered_publishers = registered_publishers
      end
    end
  end
end
