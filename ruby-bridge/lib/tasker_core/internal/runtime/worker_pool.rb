# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # The threads that run handlers, one per slot, so a delivery never waits in this process for long.
      #
      # Each thread takes deliveries from the queue until it is closed. A thread that a handler ends (`Thread.exit`)
      # answers that step as failed, and is replaced; so is one hit by an exception while it waits. A handler that ignores its cancel keeps its thread until the
      # process ends: threads are never killed.
      class WorkerPool
        # @param runner [StepRunner]
        # @param queue [WorkQueue]
        def initialize(slots, runner, queue)
          @slots = slots
          @runner = runner
          @queue = queue
        end

        def start = @slots.times { add_thread }

        # Deliveries that no thread has taken are dropped: the host has lost or released them.
        def stop = @queue.close

        private

        def add_thread
          thread = Thread.new { work(Thread::Queue.new) }
          thread.name = 'tasker-step'
          thread.report_on_exception = false
        end

        def work(mailbox)
          closed = false
          while (delivery = @queue.pop(mailbox))
            run(delivery)
          end
          closed = true
        ensure
          add_thread unless closed
        end

        def run(delivery)
          finished = false
          @queue.note_duration(@runner.run(delivery))
          finished = true
        ensure
          @runner.thread_ended(delivery) unless finished
        end
      end
    end
  end
end
