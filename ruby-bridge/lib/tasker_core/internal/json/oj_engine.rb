# frozen_string_literal: true

require 'oj'

module TaskerCore
  module Internal
    module Json
      # Oj, about 1.6 times cheaper than the standard library at 10 KB. Its modes forgive or convert things
      # that the bridge refuses; {StrictText} and {Normaliser} have looked before it is asked.
      module OjEngine
        ERROR = StandardError

        module_function

        def parse(text, max_nesting)
          depth = deepest(text)
          raise InvalidValue.new('body', "nesting of #{depth} is too deep") if depth > max_nesting

          Oj.load(text, mode: :strict, bigdecimal_load: :float, symbol_keys: false, nan: :raise)
        rescue Oj::ParseError, EncodingError, EOFError => e
          raise InvalidValue.new('body', e.message.byteslice(0, 200).scrub)
        end

        def generate(value)
          Oj.dump(value, mode: :compat, nan: :raise, escape_mode: :json)
        end

        # Oj has no nesting limit of its own. A text cannot be deeper than it has opening brackets.
        def deepest(text)
          openings = text.count('[{')
          return openings if openings <= MAX_NESTING

          depth = max = 0
          text.scan(/"(?:[^"\\]++|\\.)*+"|[\[{]|[\]}]/m) do |token|
            case token
            when '[', '{' then max = depth if (depth += 1) > max
            when ']', '}' then depth -= 1
            end
          end
          max
        end
        private_class_method :deepest
      end
    end
  end
end
