# frozen_string_literal: true

require 'singleton'
require 'time'
require_relative 'internal/log_output'

module TaskerCore
  # Log of the worker and of handlers. Inside the bridge its records travel to the host with the ids of the step
  # that the thread is running; elsewhere they are lines on stderr. `LOG_LEVEL` says what is kept (default info).
  class Logger
    include Singleton

    %w[trace debug info warn error fatal].each do |level|
      define_method(level) do |message = nil, **fields, &block|
        Internal::LogOutput.write(level, 'ruby', message.nil? && block ? block.call : message, fields)
      end
    end

    # `log_step(:info, 'handler_called', duration_ms: 3)` and the same for the other components.
    %w[task queue_worker orchestrator step database ffi config registry].each do |component|
      define_method(:"log_#{component}") do |level, operation, **data|
        Internal::LogOutput.write(level.to_s, component, operation.to_s, data)
      end
    end
  end
end
