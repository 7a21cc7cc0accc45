# frozen_string_literal: true

require_relative '../../internal/response_object'

module TaskerCore
  module Types
    # Tasks, newest first, as hashes.
    class ClientTaskListResponse
      include Internal::ResponseObject

      # @return [Array<IndifferentHash>]
      attribute :tasks
      # @return [IndifferentHash] `page, per_page, total_count, total_pages, has_next, has_previous`
      attribute :pagination
    end
  end
end
