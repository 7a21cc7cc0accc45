# frozen_string_literal: true

module TaskerCore
  module Internal
    # Answers nil to every message: what upstream handlers expect of `orchestration_system`.
    class NullObject
      def method_missing(_name, *_args, **_options) = nil
      def respond_to_missing?(_name, _include_private = false) = true
      def nil? = true
      def inspect = '#<null>'
    end
  end
end
