# frozen_string_literal: true

module TaskerCore
  module Internal
    module Json
      # Refuses what Ruby's JSON parsers let through: comments, unknown escapes, lone surrogates, U+0000,
      # bad UTF-8, and numbers that overflow to Infinity. Each rule runs only when a cheap search says the
      # text might break it, so an ordinary body pays for three `memmem`s.
      module StrictText
        ESCAPES_ARE_GOOD = %r{
          \A(?:
            [^\\]++
            | \\["\\/bfnrt]
            | \\u(?!0000|[dD][89a-fA-F])\h{4}
            | \\u[dD][89abAB]\h{2}\\u[dD][c-fC-F]\h{2}
          )*+\z
        }x
        NO_SLASH_OUTSIDE_STRINGS = %r{\A(?:[^"/]++|"(?:[^"\\]++|\\.)*+")*+\z}m
        MAY_OVERFLOW = /\d[eE]\+?\d{3,}\s*(?:[,\]}]|\z)|\d{300}/

        module_function

        def check!(text)
          raise InvalidValue.new('body', 'is not valid UTF-8') unless text.encoding == Encoding::UTF_8 && text.valid_encoding?
          if text.include?('\\') && !ESCAPES_ARE_GOOD.match?(text)
            raise InvalidValue.new('body', 'has an unknown escape, a lone surrogate or U+0000 in a string')
          end
          return unless text.include?('//') || text.include?('/*')
          raise InvalidValue.new('body', 'has a comment') unless NO_SLASH_OUTSIDE_STRINGS.match?(text)
        end

        def check_numbers!(text, value)
          return unless MAY_OVERFLOW.match?(text)
          raise InvalidValue.new('body', 'has a number that a double cannot hold') unless finite?(value)
        end

        def finite?(value)
          case value
          when Float then value.finite?
          when Array then value.all? { |item| finite?(item) }
          when Hash then value.each_value.all? { |item| finite?(item) }
          else true
          end
        end
      end
    end
  end
end
