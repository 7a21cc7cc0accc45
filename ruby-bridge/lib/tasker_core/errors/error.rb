# frozen_string_literal: true

module TaskerCore
  module Errors
    # Base of everything this gem raises, and of what handlers raise to say how a step failed.
    class Error < StandardError
      # @return [String] bare class name, as it appears in a step's failure
      def error_class
        self.class.name.to_s.split('::').last || 'Error'
      end
    end
  end
end
