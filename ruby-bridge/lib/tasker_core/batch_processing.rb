# frozen_string_literal: true

require_relative 'batch_processing/batch_worker_context'
require_relative 'batch_processing/batch_aggregation_scenario'
