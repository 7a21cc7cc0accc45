# frozen_string_literal: true

module TaskerCore
  module Types
    module StepHandlerCallResult
      # The step is done.
      class Success
        # @return [Object] any JSON value
        attr_reader :result
        # @return [Hash]
        attr_reader :metadata

        def initialize(result: nil, metadata: {}, success: true)
          raise ArgumentError, 'a Success cannot have success: false' unless success

          @result = result
          @metadata = metadata || {}
        end

        def success = true
        def success? = true
        def checkpoint? = false
        def to_h = {success: true, result: result, metadata: metadata}
      end
    end
  end
end
