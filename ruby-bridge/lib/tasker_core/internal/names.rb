# frozen_string_literal: true

module TaskerCore
  module Internal
    # Spelling of names.
    module Names
      module_function

      # @return [String] snake_case of the last segment of a constant's name
      def last_segment(constant_name)
        underscore(constant_name.to_s.split('::').last.to_s)
      end

      # @return [String] `validate_order` as `ValidateOrder`
      def camelize(name) = name.to_s.split(/[^A-Za-z0-9]+/).map { |part| part[0].to_s.upcase + part[1..].to_s }.join

      # @return [String]
      def underscore(name)
        name.gsub(/([A-Z]+)([A-Z][a-z])/, '\1_\2').gsub(/([a-z\d])([A-Z])/, '\1_\2').downcase
      end
    end
  end
end
