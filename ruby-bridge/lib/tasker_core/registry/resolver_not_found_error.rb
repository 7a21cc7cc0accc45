# frozen_string_literal: true

module TaskerCore
  module Registry
    # A template names a resolver that is not in the chain.
    class ResolverNotFoundError < ResolutionError; end
  end
end
