# frozen_string_literal: true

module TaskerCore
  module Registry
    module Resolvers
      # Handlers registered by name. Reads take no lock: the map is replaced, never changed.
      class ExplicitMappingResolver < BaseResolver
        def initialize(name = 'explicit_mapping')
          super()
          @name = name
          @handlers = {}.freeze
          @lock = Mutex.new
        end

        attr_reader :name

        def priority = 10

        # @param key [String, Symbol]
        # @param handler [Class, #call]
        def register(key, handler)
          @lock.synchronize { @handlers = @handlers.merge(key.to_s => handler).freeze }
          handler
        end

        # @return [Object, nil] what was registered
        def unregister(key)
          @lock.synchronize do
            removed = @handlers[key.to_s]
            @handlers = @handlers.reject { |name, _| name == key.to_s }.freeze
            removed
          end
        end

        def registered?(key) = @handlers.key?(key.to_s)
        def clear! = @lock.synchronize { @handlers = {}.freeze }
        def size = @handlers.size
        def registered_callables = @handlers.keys
        # @return [Hash{String => Object}] frozen
        def handlers = @handlers

        def can_resolve?(definition, _config = {}) = @handlers.key?(definition.callable)

        def resolve(definition, _config = {})
          handler = @handlers[definition.callable]
          handler.nil? ? nil : Instantiation.instance_of(handler, definition)
        end
      end
    end
  end
end
