# frozen_string_literal: true

require_relative 'template_discovery/template_path'
require_relative 'template_discovery/template_parser'
require_relative 'template_discovery/handler_discovery'
