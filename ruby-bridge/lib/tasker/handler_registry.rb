# frozen_string_literal: true

require 'singleton'

module Tasker
  # Says which task handlers there are.
  class HandlerRegistry
    include Singleton

    # @return [Array<String>] `<namespace>/<name>`, sorted
    def registered_handlers = HandlerFactory.instance.handlers.keys.sort

    # @return [Array<String>] names of one namespace, sorted
    def handlers_for_namespace(namespace_name)
      HandlerFactory.instance.definitions.select { |one| one.namespace_name == namespace_name.to_s }.map(&:name).uniq.sort
    end

    # @param version [String, nil] the highest one without it
    # @return [Hash] `{version:, schema:, steps:}` and more; `versions` lists all there are
    # @raise [TaskerCore::Errors::NotFoundError] naming what is registered
    def handler_info(name, namespace_name: 'default', version: nil)
      factory = HandlerFactory.instance
      factory.definition(name, namespace_name: namespace_name, version: version).info
             .merge(versions: factory.versions(name, namespace_name: namespace_name))
    end
  end
end
