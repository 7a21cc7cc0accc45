# frozen_string_literal: true

require_relative 'configuration_error'
require_relative 'permanent_error'
require_relative 'database_error'
require_relative 'ffi_error'

module TaskerCore
  module Errors
    # Says whether a step that failed with an exception may be tried again.
    module ErrorClassifier
      # @param error [Exception]
      # @return [Boolean] false for errors that are permanent by class, or that say so through `retryable?`;
      #   true for everything else
      def self.retryable?(error)
        case error
        when ConfigurationError, PermanentError, DatabaseError, FFIError then false
        else error.respond_to?(:retryable?) ? error.retryable? != false : true
        end
      end
    end
  end
end
