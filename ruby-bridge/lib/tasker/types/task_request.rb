# frozen_string_literal: true

module Tasker
  module Types
    # Asks for a task, of an explicit version or of the highest one that is registered here.
    class TaskRequest < TaskerCore::Types::TaskRequest
      # @param version [String, nil] the highest registered version without it
      # @raise [TaskerCore::Errors::NotFoundError] without a version, when nothing of that name is registered
      def initialize(name:, namespace: 'default', version: nil, context: {}, **rest)
        version ||= HandlerFactory.instance.definition(name, namespace_name: namespace).version
        super(name: name.to_s, namespace: namespace.to_s, version: version, context: context, **rest)
      end
    end
  end
end
