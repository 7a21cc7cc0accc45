# frozen_string_literal: true

module TaskerCore
  module Internal
    # Task templates that this process defines in code. `hello` declares them to the host, which checks and registers
    # them like template files.
    module CodeTemplates
      @sources = {}
      @lock = Mutex.new

      class << self
        # The template is asked for when `hello` is made, so that a class may still be written when it registers itself.
        # A later source with the same key replaces the earlier one.
        # @param key [Array<String>] namespace, name, version
        # @yieldreturn [Hash] the shape of the YAML file, String keys
        def add(key, &source) = @lock.synchronize { @sources[key] = source }

        # @return [Array<Hash>]
        def all = @lock.synchronize { @sources.values }.map(&:call)

        # For tests.
        def clear! = @lock.synchronize { @sources.clear }
      end
    end
  end
end
