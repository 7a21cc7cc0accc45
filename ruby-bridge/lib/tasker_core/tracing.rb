# frozen_string_literal: true

require_relative 'internal/log_output'

module TaskerCore
  # Structured log records: a message and fields.
  module Tracing
    module_function

    def error(message, fields = {}) = Internal::LogOutput.write('error', 'ruby', message, fields)
    def warn(message, fields = {}) = Internal::LogOutput.write('warn', 'ruby', message, fields)
    def info(message, fields = {}) = Internal::LogOutput.write('info', 'ruby', message, fields)
    def debug(message, fields = {}) = Internal::LogOutput.write('debug', 'ruby', message, fields)
    def trace(message, fields = {}) = Internal::LogOutput.write('trace', 'ruby', message, fields)
  end
end
