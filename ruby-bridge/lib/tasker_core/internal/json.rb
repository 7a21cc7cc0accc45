# frozen_string_literal: true

require 'json'
require_relative 'json/invalid_value'
require_relative 'json/normaliser'
require_relative 'json/strict_text'
require_relative 'json/stdlib_engine'

module TaskerCore
  module Internal
    # JSON as the bridge allows it (BRIDGE section 1): UTF-8 without lone surrogates or U+0000, no
    # NaN or Infinity, bounded nesting. Bodies go through Oj when the application has it.
    module Json
      # Deepest value a handler may return.
      MAX_NESTING = 64
      # A step body wraps values of {MAX_NESTING} levels in a few objects of its own.
      MAX_BODY_NESTING = 100

      ENGINE =
        begin
          require_relative 'json/oj_engine'
          OjEngine
        rescue LoadError
          StdlibEngine
        end

      module_function

      # @param text [String] UTF-8 JSON
      # @return [Object] plain Hash, Array and scalars
      # @raise [InvalidValue] when the text breaks a rule, including the ones the parser forgives
      def parse(text)
        value = parse_header(text)
        StrictText.check_numbers!(text, value)
        value
      end

      # Like {parse}, without looking for numbers that overflow: the rules of header fields do that where it matters.
      def parse_header(text)
        StrictText.check!(text)
        StdlibEngine.parse(text, MAX_NESTING)
      end

      # For a step's body. The database has accepted all that is in it, so only what would trouble a handler later
      # is looked at; a number that overflows is Infinity here, as its handler may not need it.
      # @return [Object]
      # @raise [InvalidValue]
      def parse_body(text)
        raise InvalidValue.new('body', 'is not valid UTF-8') unless text.valid_encoding?

        ENGINE.parse(text, MAX_BODY_NESTING)
      end

      # @param value [Object] what a handler returned; Symbols, Times, Dates and BigDecimals are converted
      # @return [String] JSON text
      # @raise [InvalidValue] naming the path of the first value that JSON cannot carry
      def generate(value)
        value = Normaliser.call(value) unless Normaliser.plain?(value)
        text = ENGINE.generate(value)
        # Rare enough that the search (memmem) is cheaper than looking at every string before.
        Normaliser.call(value) if text.include?('\u0000')
        text
      rescue ENGINE::ERROR, EncodingError => e
        Normaliser.call(value) # finds the value and names its path
        raise InvalidValue.new('result', e.message)
      end

      # For failure details: whatever JSON cannot carry is replaced by a description of it, so that a
      # failing handler is always able to say why it failed.
      # @return [String] JSON text
      def generate_lenient(value)
        ENGINE.generate(Normaliser.call(value, lenient: true))
      end

      # For headers and other values this library built itself.
      # @return [String] JSON text
      def dump(value)
        ENGINE.generate(value)
      end
    end
  end
end
