# frozen_string_literal: true

module TaskerCore
  module Internal
    # Classes made by the functional DSL. They may have no constant, so this list is what keeps them alive until
    # the loader registers them.
    module DslClasses
      @classes = []
      @lock = Mutex.new

      class << self
        def add(klass) = @lock.synchronize { @classes << klass }
        # @return [Array<Class>]
        def all = @lock.synchronize { @classes.dup }
      end
    end
  end
end
