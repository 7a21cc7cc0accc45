# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Runs one delivery on the calling worker's thread and sends its terminal message: exactly one, whatever the
      # handler does short of ending the process.
      class StepRunner
        # @param completions [Completions]
        # @param frames [CompletionFrames]
        # @param publications [Publications]
        # @param clerk [Clerk] takes what handlers say about their progress
        # @param observer [#received, #answered, nil]
        def initialize(registry:, completions:, frames:, publications:, clerk:, observer: nil)
          @registry = registry
          @completions = completions
          @frames = frames
          @publications = publications
          @clerk = clerk
          @observer = observer
          @failures = FailureReport.new(frames)
        end

        # @param delivery [Delivery]
        # @return [Float] seconds it took
        def run(delivery)
          label_thread(delivery)
          started = Clock.now
          @completions.submit(delivery, answer(delivery, started))
          Clock.now - started
        ensure
          clear_thread
        end

        # For a handler that ended its own thread.
        # @return [void]
        def thread_ended(delivery) = @completions.submit(delivery, @failures.thread_ended(delivery))

        private

        # `exit`, `abort` and Interrupt in a handler end its step, not its neighbours: hence Exception.
        def answer(delivery, started)
          return @failures.cancelled_before_start(delivery) if delivery.cancelled?

          result = call_handler(delivery)
          # The answer's own frame goes first into memory: a result that is no JSON publishes nothing.
          answer = encode(delivery, result, started)
          @observer&.answered(delivery, result)
          @publications.frames(delivery, delivery.context, result) + answer
        rescue Json::InvalidValue => e
          @failures.invalid_result(delivery, e.message, elapsed_ms(started))
        rescue HandlerNotFound => e
          @failures.handler_not_found(delivery, e.message)
        rescue Exception => e # rubocop:disable Lint/RescueException
          result = @failures.result_of(e)
          @observer&.answered(delivery, result)
          @publications.frames(delivery, delivery.context, result) + @failures.raised(delivery, e, elapsed_ms(started))
        end

        def call_handler(delivery)
          context = Types::StepContext.new(step_data(delivery), handler_name: delivery.callable,
                                                                cancellation: delivery.cancellation,
                                                                on_heartbeat: heartbeat(delivery))
          delivery.context = context
          @observer&.received(delivery, context.task_sequence_step)
          handler = @registry.resolve_handler(definition(delivery, context))
          raise HandlerNotFound, "No handler found for #{delivery.callable}" unless handler

          Types::StepHandlerCallResult.from_handler_output(handler.call(context))
        end

        def step_data(delivery)
          data = Json.parse_body(delivery.body)
          return data if data.is_a?(Hash)

          raise Json::InvalidValue.new('body', "of the step is a #{data.class}, expected an object")
        end

        # The header is what the host routed by; the body has the handler's settings.
        def definition(delivery, context)
          wrapper = context.step_definition.handler
          return wrapper if wrapper.callable == delivery.callable

          Types::HandlerDefinition.new(callable: delivery.callable, initialization: wrapper.initialization,
                                       handler_method: delivery.header['method'], resolver: wrapper.resolver)
        end

        def encode(delivery, result, started)
          elapsed = elapsed_ms(started)
          case result
          when Types::StepHandlerCallResult::Success then @frames.success(delivery, result, elapsed)
          when Types::StepHandlerCallResult::CheckpointYield then @frames.checkpoint(delivery, result, elapsed)
          else @failures.returned(delivery, result, elapsed)
          end
        end

        def heartbeat(delivery)
          lambda do |progress|
            delivery.progress = progress
            @clerk.progress
          end
        end

        # Read by TaskerCore::Logger, and by handlers that look for the contract's names.
        def label_thread(delivery)
          thread = Thread.current
          header = delivery.header
          thread[:tasker_delivery_id] = delivery.id
          thread[:correlation_id] = header['correlation_id']
          thread[:task_uuid] = header['task_uuid']
          thread[:step_uuid] = header['step_uuid']
        end

        def clear_thread
          thread = Thread.current
          thread[:tasker_delivery_id] = thread[:correlation_id] = thread[:task_uuid] = thread[:step_uuid] = nil
        end

        def elapsed_ms(started) = ((Clock.now - started) * 1000).round(3)
      end
    end
  end
end
