# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # The events of a step whose template names a publisher of this process: the hooks run before the step's answer,
      # `after_publish` once the answer is stored.
      class Publications
        Result = Types::StepHandlerCallResult

        # @param lane [EventLane] runs what comes after the commit
        # @param max_frame [Integer]
        def initialize(lane, max_frame)
          @lane = lane
          @max_frame = max_frame
          @registry = DomainEvents::PublisherRegistry.instance
          @waiting = {}
          @lock = Mutex.new
        end

        # @param delivery [Delivery]
        # @param context [Types::StepContext, nil] nil when the step failed before there was one
        # @param result [Types::StepHandlerCallResult::Success, Types::StepHandlerCallResult::Error]
        # @return [String] `event` frames to be sent before the answer; mostly empty. Never raises.
        def frames(delivery, context, result)
          return '' if context.nil? || result.checkpoint? || @registry.empty?

          due = due(context, result)
          return '' if due.empty?

          after = []
          frames = due.map { |declaration, publisher| frame(delivery, context, result, declaration, publisher, after) }
          @lock.synchronize { @waiting[delivery.id] = after } unless after.empty?
          frames.join
        rescue StandardError => e
          log(e, 'events could not be made')
          ''
        end

        # The host has decided about answers.
        # @param items [Array<Hash>] of an `ack`
        def settled(items)
          return if @waiting.empty?

          items.each do |item|
            after = @lock.synchronize { @waiting.delete(item['id']) }
            next if after.nil? || item['status'] != 'committed'

            after.each do |publisher, prepared|
              next if item['unpublished']&.include?(prepared.event_name)

              @lane.submit { publisher.finish(prepared) }
            end
          end
        end

        private

        # @return [Array<Array(IndifferentHash, DomainEvents::BasePublisher)>]
        def due(context, result)
          context.step_definition.publishes_events.filter_map do |declaration|
            name = declaration['publisher']
            publisher = @registry.get(name) if name
            [declaration, publisher] if publisher && met?(declaration['condition'] || 'success', result)
          end
        end

        def met?(condition, result)
          case condition
          when 'always' then true
          when 'success' then result.success?
          when 'failure' then !result.success?
          when 'retryable_failure' then !result.success? && result.retryable
          else !result.success? && !result.retryable
          end
        end

        def frame(delivery, context, result, declaration, publisher, after)
          header = {'type' => 'event', 'delivery_id' => delivery.id, 'name' => declaration['name'], 'version' => '1.0',
                    'on' => result.success? ? 'success' : 'failure', 'publisher' => publisher.name}
          prepared = publisher.prepare(event_name: declaration['name'], step_result: step_result(result),
                                       event_declaration: declaration, step_context: context)
          return Protocol::Frame.encode(header.merge('verdict' => 'declined')) if prepared.nil?

          frame = encode(header, prepared)
          after << [publisher, prepared]
          frame
        rescue StandardError, NotImplementedError => e
          log(e, "publisher #{publisher.class} failed for event #{declaration['name']}")
          Protocol::Frame.encode(header.merge('verdict' => 'failed'))
        end

        def encode(header, prepared)
          payload = Json.generate(prepared.payload)
          split = payload.bytesize
          payload << Json.generate(prepared.additional) unless prepared.additional.empty?
          frame = Protocol::Frame.encode(header.merge('split' => split), payload)
          raise ArgumentError, "#{frame.bytesize} bytes are over the limit of #{@max_frame}" if frame.bytesize - 4 > @max_frame

          frame
        end

        def step_result(result)
          return {success: true, result: result.result, metadata: result.metadata} if result.success?

          {success: false, result: {},
           metadata: {**result.metadata.transform_keys(&:to_sym), retryable: result.retryable,
                      error_type: result.error_type, error_message: result.message}}
        end

        def log(error, what)
          LogOutput.write('error', 'events', "#{what}: #{error.class}: #{error.message}", 'at' => error.backtrace&.first)
        end
      end
    end
  end
end
