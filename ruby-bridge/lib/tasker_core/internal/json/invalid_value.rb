# frozen_string_literal: true

module TaskerCore
  module Internal
    module Json
      # A value or text that may not cross the bridge. `path` is where, in the style `result.items[3].price`.
      class InvalidValue < StandardError
        # @return [String] place of the offending value
        attr_reader :path

        def initialize(path, reason)
          @path = path
          super("#{path}: #{reason}")
        end
      end
    end
  end
end
