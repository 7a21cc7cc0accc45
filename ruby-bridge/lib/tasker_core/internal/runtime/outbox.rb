# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Everything that goes to the host. There is no writer thread: whoever gets the write lock writes all that is
      # pending, the others go on with their work. While the channel is full, the holder waits; what the others
      # leave behind is bounded by their number.
      class Outbox
        # Pending frames are joined up to this size, bytes.
        JOIN_BYTES = 65_536

        # @param io [IO]
        # @param on_lost [#call] called once, with the error, when the channel cannot be written any more
        def initialize(io, on_lost:)
          @io = io
          @on_lost = on_lost
          @pending = Thread::Queue.new
          @lock = Mutex.new
          @open = true
        end

        # @param frame [String] one or more whole frames
        # @return [void]
        def put(frame)
          return unless @open

          @pending << frame
          flush
        end

        # After this nothing is written; used in forked children and when the channel is gone.
        def close = @open = false
        def open? = @open

        private

        # The loop looks again after unlocking: a frame may have come between the last look and the unlock.
        def flush
          until @pending.empty?
            return unless @lock.try_lock

            begin
              write(join_pending) until @pending.empty?
            rescue IOError, SystemCallError => e
              @open = false
              @pending.clear
              @on_lost.call(e)
            ensure
              @lock.unlock
            end
          end
        end

        def join_pending
          first = @pending.pop
          return first if @pending.empty? || first.bytesize >= JOIN_BYTES

          joined = first.dup
          joined << @pending.pop until @pending.empty? || joined.bytesize >= JOIN_BYTES
          joined
        end

        # write_nonblock keeps the interpreter lock: a blocking write would hand it to another thread each time.
        def write(bytes)
          loop do
            written = @io.write_nonblock(bytes, exception: false)
            if written == :wait_writable
              @io.wait_writable
            elsif written == bytes.bytesize
              return
            else
              bytes = bytes.byteslice(written, bytes.bytesize - written)
            end
          end
        end
      end
    end
  end
end
