# frozen_string_literal: true

# Loads on its own and more than once: handler files sometimes require it by path.
require_relative 'errors/error'
require_relative 'errors/configuration_error'
require_relative 'errors/procedural_error'
require_relative 'errors/orchestration_error'
require_relative 'errors/database_error'
require_relative 'errors/ffi_error'
require_relative 'errors/server_error'
require_relative 'errors/retryable_error'
require_relative 'errors/permanent_error'
require_relative 'errors/timeout_error'
require_relative 'errors/network_error'
require_relative 'errors/validation_error'
require_relative 'errors/not_found_error'
require_relative 'errors/error_classifier'

module TaskerCore
  # Short names, for handlers that leave out `Errors::`.
  %i[Error ConfigurationError ProceduralError OrchestrationError DatabaseError FFIError ServerError RetryableError
     PermanentError TimeoutError NetworkError ValidationError NotFoundError].each do |name|
    const_set(name, Errors.const_get(name)) unless const_defined?(name, false)
  end
  ErrorClassification = Errors::ErrorClassifier unless const_defined?(:ErrorClassification, false)
end
