# frozen_string_literal: true

require_relative 'value_object'

module TaskerCore
  module Internal
    # A {ValueObject} read from an answer of the server: unknown fields are ignored, missing ones are refused.
    module ResponseObject
      # Class-level part.
      module Reading
        # @param hash [Hash] either kind of keys
        # @return [Object] an instance, or the hash itself (indifferent) when a field is missing
        def from_response(hash)
          fields = IndifferentHash.wrap(hash)
          return fields unless fields.is_a?(Hash) && attributes_with_defaults.all? { |name, rule| rule != :required! || fields.key?(name.to_s) }

          new(**attribute_names.select { |name| fields.key?(name.to_s) }.to_h { |name| [name, fields[name.to_s]] })
        end

        # @return [void]
        def attributes(*names) = names.each { |name| attribute name }

        # Attributes that an answer may leave out.
        def optional(*names) = names.each { |name| attribute name, nil }
      end

      def self.included(base)
        base.include(ValueObject)
        base.extend(Reading)
      end
    end
  end
end
