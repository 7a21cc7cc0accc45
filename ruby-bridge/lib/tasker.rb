# frozen_string_literal: true

require 'tasker_core'
require_relative 'tasker/errors'
require_relative 'tasker/not_retryable'
require_relative 'tasker/versions'
require_relative 'tasker/step_template'
require_relative 'tasker/step_templates'
require_relative 'tasker/task_definition'
require_relative 'tasker/handler_factory'
require_relative 'tasker/handler_registry'
require_relative 'tasker/types/task_request'
require_relative 'tasker/step_handler'
require_relative 'tasker/task_handler'
require_relative 'tasker/event_subscriber'

# Task templates and their step handlers in code, with the names of the original Tasker gem: a thin layer over
# {TaskerCore}. A handler process that has loaded such classes declares their templates to its host, which checks and
# registers them like template files.
module Tasker
end
