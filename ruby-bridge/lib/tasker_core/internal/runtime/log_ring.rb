# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Log records on their way to the host. Bounded: when it is full the oldest record is lost, and counted.
      class LogRing
        RECORDS_PER_FRAME = 50
        BYTES_PER_FRAME = 65_536
        CAPACITY = 1000
        # A longer record keeps its message and loses its fields.
        RECORD_BYTES = 16_384
        MESSAGE_BYTES = 8192

        # @param on_first [#call] called when a record comes into an empty ring
        def initialize(outbox, on_first: -> {})
          @outbox = outbox
          @on_first = on_first
          @records = []
          @dropped = 0
          @lock = Mutex.new
          @flushing = Mutex.new
        end

        # @param record [Hash]
        def push(record)
          text = encode(record)
          first = @lock.synchronize do
            if @records.size >= CAPACITY
              @records.shift
              @dropped += 1
            end
            @records << text
            @records.size == 1
          end
          @on_first.call if first
        end

        # Nothing to write and nobody writing: a completion need not wait for its records.
        def settled? = @records.empty? && !@flushing.locked?

        # Writes all records. The second lock keeps a step's records before its completion when the clerk has
        # taken them but not yet written them.
        def flush
          @flushing.synchronize do
            while (frame = next_frame)
              @outbox.put(frame)
            end
          end
        end

        private

        def next_frame
          texts, dropped = @lock.synchronize do
            return nil if @records.empty?

            count = bytes = 0
            @records.each do |text|
              bytes += text.bytesize + 1
              break if count == RECORDS_PER_FRAME || (bytes > BYTES_PER_FRAME && count.positive?)

              count += 1
            end
            lost = @dropped
            @dropped = 0
            [@records.shift(count), lost]
          end
          Protocol::Frame.encode({'type' => 'log', 'dropped' => dropped}, "[#{texts.join(',')}]")
        end

        def encode(record)
          message = record['message']
          record = record.merge('message' => message.byteslice(0, MESSAGE_BYTES).scrub) if message.bytesize > MESSAGE_BYTES
          text = Json.generate_lenient(record)
          return text if text.bytesize <= RECORD_BYTES

          Json.generate_lenient(record.merge('fields' => {'dropped_bytes' => text.bytesize}))
        end
      end
    end
  end
end
