# frozen_string_literal: true

require 'io/wait'

module TaskerCore
  module Internal
    module Runtime
      # Reads the channel and cuts it into messages.
      class ChannelReader
        # More than a socket buffer holds by default: one read takes all that is there.
        READ_BYTES = 262_144

        # @param io [IO]
        # @param max_frame [Integer]
        def initialize(io, max_frame:)
          @io = io
          @frames = Protocol::FrameReader.new(max_frame: max_frame)
          @buffer = String.new(capacity: READ_BYTES, encoding: Encoding::BINARY)
        end

        def max_frame=(bytes)
          @frames.max_frame = bytes
        end

        # Waits for bytes and yields the messages that they complete.
        # @param timeout [Float, nil] seconds
        # @return [Symbol] :read, :closed at the end of the channel, or :timeout
        def read(timeout: nil, &block)
          loop do
            case @io.read_nonblock(READ_BYTES, @buffer, exception: false)
            when :wait_readable
              @io.wait_readable(timeout) or return :timeout
            when nil then return :closed
            else
              @frames.feed(@buffer, &block)
              return :read
            end
          end
        rescue Errno::ECONNRESET, IOError
          :closed
        end
      end
    end
  end
end
