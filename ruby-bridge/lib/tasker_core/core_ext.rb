# frozen_string_literal: true

# The few ActiveSupport methods that handler files expect, for applications without ActiveSupport. When it is
# loaded first, nothing is defined here; when it is loaded later, its own definitions replace these.
unless defined?(::ActiveSupport)
  require_relative 'core_ext/blank'
  require_relative 'core_ext/hash_keys'
  require_relative 'core_ext/durations'
  require_relative 'core_ext/string_dates'
end
