# frozen_string_literal: true

module TaskerCore
  module Registry
    # A handler could not be made. Permanent: another attempt would meet the same registry.
    class ResolutionError < Errors::ConfigurationError; end
  end
end
