# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Steps for a program that runs them itself: it polls for events and submits completions by their id. Stands where
      # the work queue and its threads are otherwise. Waiting blocks on a condition, no timer runs.
      class PolledSteps
        # A step that has waited this long for its poll is starving.
        STARVING_SECONDS = 1

        # @param completions [Completions]
        # @param frames [CompletionFrames]
        # @param publications [Publications]
        def initialize(completions, frames, publications)
          @completions = completions
          @frames = frames
          @publications = publications
          @failures = FailureReport.new(frames)
          @waiting = []
          @taken = {}
          @lock = Mutex.new
          @arrived = ConditionVariable.new
          @closed = false
        end

        def start; end

        # @param delivery [Delivery]
        def push(delivery)
          @lock.synchronize do
            @waiting.push([delivery, Clock.now])
            @arrived.signal
          end
        end

        # The queue's part of the reader's loop: whoever polls has been woken by {#push}.
        def wake = nil
        def nudge; end

        # What nobody has taken is dropped: the host has it back.
        def stop
          @lock.synchronize do
            @closed = true
            @waiting.clear
            @arrived.broadcast
          end
        end

        # @param timeout [Numeric] seconds to wait for a step
        # @return [Hash, nil] the contract's step event, String keys; nil when there is none
        def poll(timeout = 0)
          delivery = @lock.synchronize do
            @arrived.wait(@lock, timeout) if @waiting.empty? && timeout.positive? && !@closed
            found, = @waiting.shift
            @taken[found.id] = [found, Clock.now] if found
            found
          end
          delivery && event(delivery)
        end

        # @param completion [Hash] the contract's completion, either kind of keys
        # @return [Boolean] false when the event is unknown or answered already
        def complete(event_id, completion)
          taken(event_id) do |delivery, elapsed|
            fields = IndifferentHash.wrap(completion)
            fields['success'] ? success(delivery, fields, elapsed) : failure(delivery, fields, elapsed)
          end
        end

        # @param checkpoint [Hash] `cursor`, `items_processed`, `accumulated_results`
        # @return [Boolean] as {#complete}
        def checkpoint(event_id, checkpoint)
          fields = IndifferentHash.wrap(checkpoint)
          yielded = Types::StepHandlerCallResult.checkpoint_yield(
            cursor: fields['cursor'], items_processed: fields['items_processed'], accumulated_results: fields['accumulated_results']
          )
          taken(event_id) { |delivery, elapsed| @frames.checkpoint(delivery, yielded, elapsed) }
        end

        # @return [Hash] how many steps wait for a poll, and for how long
        def metrics
          waiting = @lock.synchronize { @waiting.dup }
          now = Clock.now
          ages = waiting.map { |_, since| ((now - since) * 1000).round }
          starving = ages.count { |age| age >= STARVING_SECONDS * 1000 }
          {'pending_count' => waiting.size, 'oldest_pending_age_ms' => ages.max, 'newest_pending_age_ms' => ages.min,
           'oldest_event_id' => waiting.first&.first&.id, 'starvation_detected' => starving.positive?,
           'starving_event_count' => starving}
        end

        # Forgets what was cancelled while it waited or ran: the host has given it up.
        # @return [Integer] how many
        def forget_cancelled
          @lock.synchronize do
            before = @waiting.size + @taken.size
            @waiting.reject! { |delivery, _| delivery.cancelled? && answer_cancelled(delivery) }
            @taken.reject! { |_, (delivery, _)| delivery.cancelled? && answer_cancelled(delivery) }
            before - @waiting.size - @taken.size
          end
        end

        private

        def event(delivery)
          header = delivery.header
          data = Json.parse_body(delivery.body)
          delivery.context = Types::StepContext.new(data, handler_name: delivery.callable)
          {'event_id' => delivery.id, 'task_uuid' => header['task_uuid'], 'step_uuid' => header['step_uuid'],
           'correlation_id' => header['correlation_id'], 'task_correlation_id' => header['correlation_id'],
           'parent_correlation_id' => header['parent_correlation_id'],
           'trace_id' => header['traceparent'].to_s.split('-')[1], 'span_id' => header['traceparent'].to_s.split('-')[2],
           'task_sequence_step' => data}
        end

        def taken(event_id)
          delivery, since = @lock.synchronize { @taken.delete(event_id) }
          return false unless delivery

          elapsed = ((Clock.now - since) * 1000).round(3)
          @completions.submit(delivery, frame(delivery, elapsed) { yield(delivery, elapsed) })
        end

        def frame(delivery, elapsed)
          yield
        rescue Json::InvalidValue => e
          @failures.invalid_result(delivery, e.message, elapsed)
        end

        def success(delivery, fields, elapsed)
          metadata = fields['metadata'] || {}
          result = Types::StepHandlerCallResult.success(result: fields['result'], metadata: metadata['custom'] || metadata)
          answer = @frames.success(delivery, result, elapsed)
          @publications.frames(delivery, delivery.context, result) + answer
        end

        def failure(delivery, fields, elapsed)
          metadata = fields['metadata'] || {}
          custom = metadata['custom'] || {}
          result = Types::StepHandlerCallResult.failure(
            message: fields['error_message'], error_type: custom['error_type'] || custom['error_class'] || 'UnexpectedError',
            error_code: custom['error_code'], retryable: metadata['retryable'] == true, metadata: custom
          )
          @publications.frames(delivery, delivery.context, result) + @failures.returned(delivery, result, elapsed)
        end

        def answer_cancelled(delivery) = @completions.submit(delivery, @failures.cancelled_before_start(delivery)) || true
      end
    end
  end
end
