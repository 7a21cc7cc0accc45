# frozen_string_literal: true

require 'time'

module TaskerCore
  module Internal
    module Http
      # Reads the `Retry-After` header.
      module RetryAfter
        module_function

        # @param value [String, nil] seconds or an HTTP date
        # @return [Numeric, nil] seconds from now, not negative
        def seconds(value)
          text = value.to_s.strip
          return nil if text.empty?
          return text.to_i if text.match?(/\A\d{1,9}\z/)

          [(Time.httpdate(text) - Time.now).ceil, 0].max
        rescue ArgumentError
          nil
        end
      end
    end
  end
end
