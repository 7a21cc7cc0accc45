# frozen_string_literal: true

module TaskerCore
  # Version of the gem, sent in `hello` as `sdk_version`.
  VERSION = '0.1.0'
end
