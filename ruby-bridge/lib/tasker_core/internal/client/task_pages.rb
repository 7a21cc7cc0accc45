# frozen_string_literal: true

module TaskerCore
  module Internal
    module Client
      # Reads `limit` tasks from `offset` on out of a server that counts in pages of at most 100.
      class TaskPages
        MAX_PER_PAGE = 100

        # @param rest [RestClient]
        # @param filters [Hash] further query parameters
        def initialize(rest, filters)
          @rest = rest
          @filters = filters
        end

        # @return [Hash] `tasks` and `pagination`, as the server would answer for one page of that size
        def read(limit, offset)
          return @rest.get('/v1/tasks', {page: offset / limit + 1, per_page: limit, **@filters}) if limit <= MAX_PER_PAGE && (offset % limit).zero?

          first = offset / MAX_PER_PAGE
          pages = pages_until(first, (offset + limit - 1) / MAX_PER_PAGE)
          tasks = pages.flat_map { |page| page['tasks'] }.drop(offset - first * MAX_PER_PAGE).first(limit)
          {'tasks' => tasks, 'pagination' => pagination(limit, offset, pages.first.dig('pagination', 'total_count') || tasks.size)}
        end

        private

        def pages_until(first, last)
          (first..last).each_with_object([]) do |index, pages|
            pages << @rest.get('/v1/tasks', {page: index + 1, per_page: MAX_PER_PAGE, **@filters})
            break pages unless pages.last.dig('pagination', 'has_next')
          end
        end

        def pagination(limit, offset, total)
          {'page' => offset / limit + 1, 'per_page' => limit, 'total_count' => total, 'total_pages' => (total + limit - 1) / limit,
           'has_next' => offset + limit < total, 'has_previous' => offset.positive?}
        end
      end
    end
  end
end
