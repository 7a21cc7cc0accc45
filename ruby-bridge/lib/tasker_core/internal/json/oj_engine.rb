# frozen_string_literal: true

require 'oj'

module TaskerCore
  module Internal
    module Json
      # Oj, cheaper than the standard library from some kilobytes on. It forgives more than the bridge allows, so it
      # reads only bodies that the database has accepted, and what it writes has been looked at by {Normaliser}.
      module OjEngine
        ERROR = StandardError

        module_function

        def parse(text, max_nesting)
          # A text cannot be deeper than it has brackets; Oj has no limit of its own.
          return StdlibEngine.parse(text, max_nesting) if text.empty? || text.count('[{') > max_nesting

          Oj.load(text, mode: :strict, bigdecimal_load: :float, symbol_keys: false, nan: :raise)
        rescue Oj::ParseError, EncodingError, EOFError => e
          raise InvalidValue.new('body', e.message.byteslice(0, 200).scrub)
        end

        def generate(value)
          text = Oj.dump(value, mode: :compat, nan: :raise, escape_mode: :json)
          raise EncodingError, 'not valid UTF-8' unless text.valid_encoding?

          text
        end
      end
    end
  end
end
