# frozen_string_literal: true

# What handler files expect to be loaded.
require 'json'
require 'time'
require 'date'
require 'securerandom'
require 'set'

require_relative 'tasker_core/version'
require_relative 'tasker_core/errors'
require_relative 'tasker_core/indifferent_hash'
require_relative 'tasker_core/core_ext'
require_relative 'tasker_core/internal/json'
require_relative 'tasker_core/internal/names'
require_relative 'tasker_core/internal/dsl_classes'
require_relative 'tasker_core/logger'
require_relative 'tasker_core/tracing'
require_relative 'tasker_core/types'
require_relative 'tasker_core/batch_processing'
require_relative 'tasker_core/step_handler'
require_relative 'tasker_core/handlers'
require_relative 'tasker_core/registry'
require_relative 'tasker_core/client'
require_relative 'tasker_core/internal/plain'
require_relative 'tasker_core/ffi'
require_relative 'tasker_core/observability'
require_relative 'tasker_core/internal/kinds'
require_relative 'tasker_core/internal/code_templates'
require_relative 'tasker_core/internal/manifest'
require_relative 'tasker_core/internal/event_feed'
require_relative 'tasker_core/internal/polled_events'
require_relative 'tasker_core/domain_events'
require_relative 'tasker_core/event_subscriber'
require_relative 'tasker_core/worker/in_process_domain_event_poller'
require_relative 'tasker_core/internal/event_classes'
require_relative 'tasker_core/internal/handler_loader'
require_relative 'tasker_core/internal/handler_bootstrap'
require_relative 'tasker_core/template_discovery'
require_relative 'tasker_core/test_environment'
require_relative 'tasker_core/internal/dot_env'

module TaskerCore
  # Only programs that start their worker themselves need these.
  module Worker
    %i[Bootstrap Event EventBridge EventPoller StepExecutionSubscriber StepObserver].each do |name|
      autoload name, File.expand_path('tasker_core/worker', __dir__)
    end
  end
  module Internal
    autoload :Session, File.expand_path('tasker_core/worker', __dir__)
    autoload :HostProcess, File.expand_path('tasker_core/worker', __dir__)
    autoload :OrchestrationManager, File.expand_path('tasker_core/internal/orchestration_manager', __dir__)
  end
end

TaskerCore::Internal::DotEnv.load
TaskerCore::TestEnvironment.load_if_test!
