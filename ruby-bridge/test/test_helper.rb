# frozen_string_literal: true

require 'minitest/autorun'
require 'tasker_core'
require_relative 'vectors'
