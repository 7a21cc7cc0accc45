# frozen_string_literal: true

require_relative 'registry/resolution_error'
require_relative 'registry/resolver_not_found_error'
require_relative 'registry/resolvers/instantiation'
require_relative 'registry/resolvers/base_resolver'
require_relative 'registry/resolvers/explicit_mapping_resolver'
require_relative 'registry/resolvers/class_constant_resolver'
require_relative 'registry/resolvers/registry_resolver'
require_relative 'registry/resolvers/method_dispatch_wrapper'
require_relative 'registry/resolver_chain'
require_relative 'registry/handler_registry'
