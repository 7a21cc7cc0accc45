# frozen_string_literal: true

require 'minitest/autorun'
require 'tasker_core'
require 'tasker_core/internal/runtime'
require_relative 'vectors'
