# frozen_string_literal: true

require 'bigdecimal'
require 'date'
require 'time'

module TaskerCore
  module Internal
    module Json
      # Decides whether a handler's value is JSON, converts the few Ruby types with an obvious text form, and
      # names the path of the first value that has none. `JSON.generate` alone would send `"#<Object:0x...>"`.
      module Normaliser
        KEY_CLASSES = {String => true, Symbol => true}.compare_by_identity.freeze
        SCALAR_CLASSES = [String, Integer, Symbol, NilClass, TrueClass, FalseClass].to_h { |klass| [klass, true] }
                                                                                  .compare_by_identity.freeze
        private_constant :KEY_CLASSES, :SCALAR_CLASSES

        module_function

        # Runs over every value of every result, so scalars inside containers are looked at in place, by class.
        # Subclasses take the slower way.
        # @return [Boolean] true when the value can be generated as it is; says nothing about text encodings
        def plain?(value, depth = 1)
          case value
          when Hash
            return false if depth > MAX_NESTING

            value.each_pair do |key, item|
              return false unless KEY_CLASSES[key.class]
              return false unless SCALAR_CLASSES[item.class] || plain?(item, depth + 1)
            end
            true
          when Array
            return false if depth > MAX_NESTING

            value.each { |item| return false unless SCALAR_CLASSES[item.class] || plain?(item, depth + 1) }
            true
          when Float then value.finite?
          when String, Integer, Symbol, nil, true, false then true
          else false
          end
        end

        # @param lenient [Boolean] describe what cannot be carried instead of raising
        # @return [Object] a copy made of String, Integer, Float, true, false, nil, Array and Hash
        # @raise [InvalidValue]
        def call(value, path = 'result', depth = 0, lenient: false)
          case value
          when nil, true, false, Integer then value
          when String then text(value, path, lenient)
          when Symbol then text(value.to_s, path, lenient)
          when Float
            return value if value.finite?

            refuse(path, "#{value} is not a JSON number", lenient) { value.to_s }
          when BigDecimal
            return value.to_s('F') if value.finite?

            refuse(path, "#{value} is not a JSON number", lenient) { value.to_s }
          when Time then value.iso8601(6)
          when Date then value.iso8601
          when Hash then hash(value, path, depth + 1, lenient)
          when Array then array(value, path, depth + 1, lenient)
          else
            refuse(path, "a #{value.class} is not a JSON value", lenient) { description(value) }
          end
        end

        def hash(value, path, depth, lenient)
          return refuse(path, "nesting is deeper than #{MAX_NESTING}", lenient) { '(too deep)' } if depth > MAX_NESTING

          value.each_with_object({}) do |(key, item), copy|
            name = key_text(key, path, lenient)
            copy[name] = call(item, "#{path}.#{name}", depth, lenient: lenient)
          end
        end

        def array(value, path, depth, lenient)
          return refuse(path, "nesting is deeper than #{MAX_NESTING}", lenient) { '(too deep)' } if depth > MAX_NESTING

          value.each_with_index.map { |item, index| call(item, "#{path}[#{index}]", depth, lenient: lenient) }
        end

        def key_text(key, path, lenient)
          case key
          when String, Symbol, Integer then text(key.to_s, "#{path} (a key)", lenient)
          else refuse(path, "a #{key.class} is not an object key", lenient) { description(key) }
          end
        end

        def text(value, path, lenient)
          string = utf8(value)
          unless string.valid_encoding?
            return refuse(path, "a string is not valid #{value.encoding}", lenient) { string.scrub.delete("\0") }
          end
          return string unless string.include?("\0")

          refuse(path, 'a string contains U+0000', lenient) { string.delete("\0") }
        end

        def utf8(value)
          return value if value.encoding == Encoding::UTF_8
          return value.dup.force_encoding(Encoding::UTF_8) if value.encoding == Encoding::BINARY || !value.valid_encoding?

          value.encode(Encoding::UTF_8)
        rescue EncodingError
          value.dup.force_encoding(Encoding::UTF_8)
        end

        def description(value)
          value.inspect.byteslice(0, 500).scrub.delete("\0")
        rescue StandardError
          "(a #{value.class})"
        end

        def refuse(path, reason, lenient)
          raise InvalidValue.new(path, reason) unless lenient

          yield
        end
        private_class_method :hash, :array, :key_text, :text, :utf8, :description, :refuse
      end
    end
  end
end
