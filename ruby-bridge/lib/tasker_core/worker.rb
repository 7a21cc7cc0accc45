# frozen_string_literal: true

require_relative 'internal/runtime'
require_relative 'internal/host_process'
require_relative 'internal/session'
require_relative 'worker/event'
require_relative 'worker/event_bridge'
require_relative 'worker/step_observer'
require_relative 'worker/step_execution_subscriber'
require_relative 'worker/event_poller'
require_relative 'worker/bootstrap'
