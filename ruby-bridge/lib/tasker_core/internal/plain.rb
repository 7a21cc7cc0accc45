# frozen_string_literal: true

module TaskerCore
  module Internal
    # Values as JSON has them: plain hashes with String keys.
    module Plain
      module_function

      # @param value [Object] hashes, arrays, scalars and objects with attributes
      def deep(value)
        case value
        when Hash then value.to_h.to_h { |key, item| [key.to_s, deep(item)] }
        when Array then value.map { |item| deep(item) }
        when ValueObject then deep(value.to_h)
        else value
        end
      end
    end
  end
end
