# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # One dispatch of one step, from its `step` message to its terminal message.
      class Delivery
        attr_reader :id, :header, :body, :cancellation
        # @return [Types::StepContext, nil] what its handler got
        attr_accessor :context

        # @param header [Hash] checked by {Protocol::Messages}
        # @param body [String] JSON of the TaskSequenceStep, not parsed yet
        def initialize(header, body)
          @id = header['delivery_id']
          @header = header
          @body = body
          @cancellation = Cancellation.new
          @progress = nil
          @progress_waiting = false
        end

        # What the handler last said about how far it is.
        # @param value [Numeric, nil]
        def progress=(value)
          @progress = value unless value.nil?
          @progress_waiting = true
        end

        def progress_waiting? = @progress_waiting

        # @return [Hash] its entry in a `beat`
        def beat
          @progress_waiting = false
          {'id' => @id, 'progress' => @progress}.compact
        end

        # @return [String] the id as JSON; ids are UUIDs, which need no escaping
        def id_text = @id.match?(/\A[\w-]+\z/) ? "\"#{@id}\"" : Json.dump(@id)

        def callable = @header['callable']
        def cancelled? = @cancellation.cancelled?
      end
    end
  end
end
