# frozen_string_literal: true

require_relative 'indifferent_hash'
require_relative 'models/handler_wrapper'
require_relative 'models/step_definition_wrapper'
require_relative 'models/workflow_step_wrapper'
require_relative 'models/task_wrapper'
require_relative 'models/dependency_results_wrapper'
require_relative 'models/task_sequence_step_wrapper'
