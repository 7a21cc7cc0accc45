# frozen_string_literal: true

require 'json'

module TaskerCore
  module Internal
    module Json
      # The `json` library that ships with Ruby.
      module StdlibEngine
        ERROR = JSON::JSONError

        module_function

        def parse(text, max_nesting)
          JSON.parse(text, max_nesting: max_nesting, create_additions: false)
        rescue JSON::JSONError => e
          raise InvalidValue.new('body', e.message.byteslice(0, 200).scrub)
        end

        def generate(value)
          JSON.generate(value)
        end
      end
    end
  end
end
