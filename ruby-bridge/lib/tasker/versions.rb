# frozen_string_literal: true

module Tasker
  # Semantic versions: which text is one, and which is the highest.
  module Versions
    PATTERN = /\A(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?\z/

    module_function

    # @return [Boolean]
    def valid?(version) = version.is_a?(String) && PATTERN.match?(version)

    # @param versions [Array<String>]
    # @return [String, nil]
    def highest(versions) = versions.max { |a, b| compare(a, b) }

    # @return [Integer] -1, 0 or 1 by the precedence of semver 2.0
    def compare(left, right)
      a, b = [left, right].map { |version| PATTERN.match(version) }
      numbers = a[1, 3].map(&:to_i) <=> b[1, 3].map(&:to_i)
      numbers.zero? ? compare_pre_releases(a[4], b[4]) : numbers
    end

    # A release is higher than its pre-releases; numbers are lower than words.
    def compare_pre_releases(left, right)
      return 0 if left == right
      return 1 if left.nil?
      return -1 if right.nil?

      key = ->(text) { text.split('.').map { |part| part.match?(/\A\d+\z/) ? [0, part.to_i, ''] : [1, 0, part] } }
      key.call(left) <=> key.call(right)
    end
    private_class_method :compare_pre_releases
  end
end
