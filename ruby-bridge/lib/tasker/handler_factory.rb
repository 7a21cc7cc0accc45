# frozen_string_literal: true

require 'singleton'

module Tasker
  # Task handlers by namespace, name and version. Safe from several threads: the table is replaced, never changed.
  class HandlerFactory
    include Singleton

    def initialize
      @definitions = {}.freeze
      @lock = Mutex.new
    end

    # @param definition [TaskDefinition] replaces one of the same namespace, name and version
    # @return [TaskDefinition]
    def register(definition)
      @lock.synchronize do
        versions = @definitions.fetch(definition.key, {}).merge(definition.version => definition).freeze
        @definitions = @definitions.merge(definition.key => versions).freeze
      end
      TaskerCore::Internal::CodeTemplates.add([definition.key, definition.version]) { definition.to_template }
      definition
    end

    # @return [Hash{String => Class}] `<namespace>/<name>` to the class of the highest version
    def handlers = @definitions.keys.to_h { |key| [key, latest(key).handler_class] }

    # @param version [String, nil] the highest one without it
    # @return [TaskHandler::Base] a new instance
    # @raise [TaskerCore::Errors::NotFoundError] naming what is registered
    def get(name, namespace_name: 'default', version: nil)
      found = definition(name, namespace_name: namespace_name, version: version)
      found.handler_class.new(definition: found)
    end

    # @return [TaskDefinition]
    # @raise (see #get)
    def definition(name, namespace_name: 'default', version: nil)
      key = "#{namespace_name}/#{name}"
      versions = @definitions[key] or raise missing("No task handler is registered as #{key}", @definitions.keys)
      return latest(key) if version.nil?

      versions[version.to_s] or raise missing("Task handler #{key} has no version #{version}", versions.keys)
    end

    # @return [Array<TaskDefinition>] every version
    def definitions = @definitions.values.flat_map(&:values)

    # @return [Array<String>] versions of one task handler, lowest first
    def versions(name, namespace_name: 'default')
      @definitions.fetch("#{namespace_name}/#{name}", {}).keys.sort { |a, b| Versions.compare(a, b) }
    end

    private

    def latest(key) = @definitions[key].then { |versions| versions[Versions.highest(versions.keys)] }

    def missing(message, known)
      list = known.empty? ? 'nothing is registered' : "registered: #{known.sort.join(', ')}"
      TaskerCore::Errors::NotFoundError.new("#{message}; #{list}", resource_type: 'task_handler')
    end
  end
end
