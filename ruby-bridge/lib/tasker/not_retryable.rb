# frozen_string_literal: true

module Tasker
  # Marks an exception that says nothing about retries: in this layer it is permanent.
  module NotRetryable
    def retryable? = false
  end
end
