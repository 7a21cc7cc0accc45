# frozen_string_literal: true

require_relative 'lib/tasker_core/version'

Gem::Specification.new do |spec|
  spec.name = 'tasker-bridge'
  spec.version = TaskerCore::VERSION
  spec.summary = 'Step handlers for Tasker workflows in Ruby'
  spec.description = 'The handler API of Tasker (module TaskerCore) and the program that runs handlers for a Tasker worker.'
  spec.authors = ['Tasker contributors']
  spec.license = 'MIT'
  spec.homepage = 'https://rubygems.org/gems/tasker-bridge'
  spec.required_ruby_version = '>= 3.1'
  spec.files = Dir['lib/**/*.rb', 'sig/**/*.rbs', 'exe/*', 'README.md', 'CHANGELOG.md']
  spec.bindir = 'exe'
  spec.executables = ['tasker-bridge']
  spec.require_paths = ['lib']
  # No dependencies: Oj, Faraday and ActiveSupport are used when the application has them.
  spec.metadata = {'rubygems_mfa_required' => 'true'}
end
