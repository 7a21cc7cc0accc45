# frozen_string_literal: true

require_relative 'error'

module TaskerCore
  module Errors
    # The database refused an operation. Never retried by itself.
    class DatabaseError < Error; end
  end
end
