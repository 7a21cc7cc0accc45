# frozen_string_literal: true

module TaskerCore
  module Internal
    # Gives a class keyword construction, readers, `to_h` and equality for a fixed list of attributes.
    # It stands where upstream used dry-struct.
    module ValueObject
      # Class-level part.
      module Declaration
        # @param name [Symbol]
        # @param default [Object] used when the attribute is not given; without it the attribute is required
        def attribute(name, default = (required = true))
          attributes_with_defaults[name] = required ? :required! : default
          attr_reader name
        end

        # @return [Array<Symbol>]
        def attribute_names = attributes_with_defaults.keys

        # @api private
        def attributes_with_defaults
          @attributes_with_defaults ||= superclass.respond_to?(:attributes_with_defaults) ? superclass.attributes_with_defaults.dup : {}
        end
      end

      def self.included(base)
        base.extend(Declaration)
      end

      def initialize(**given)
        unknown = given.keys - self.class.attribute_names
        raise ArgumentError, "#{self.class} has no attribute #{unknown.join(', ')}" unless unknown.empty?

        self.class.attributes_with_defaults.each_pair do |name, default|
          raise ArgumentError, "#{self.class} needs #{name}" if default == :required! && !given.key?(name)

          instance_variable_set(:"@#{name}", given.fetch(name, default))
        end
      end

      # @return [Hash] attributes by Symbol
      def to_h = self.class.attribute_names.to_h { |name| [name, public_send(name)] }

      def [](name) = self.class.attribute_names.include?(name.to_sym) ? public_send(name) : nil
      def ==(other) = other.class == self.class && other.to_h == to_h
      alias eql? ==
      def hash = [self.class, to_h].hash
    end
  end
end
