# frozen_string_literal: true

require_relative 'mixins/api'
require_relative 'mixins/decision'
require_relative 'mixins/batchable'
