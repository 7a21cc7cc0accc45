# frozen_string_literal: true

module TaskerCore
  module Internal
    module Protocol
      # Cuts a stream of bytes into {Frame::Message}s, in whatever pieces the bytes arrive. Holds at most one
      # incomplete frame; the body of a frame over `max_frame` is thrown away as it arrives. Not thread-safe:
      # the connection's reader thread owns it.
      class FrameReader
        # @return [Integer] limit on a frame's `length`
        attr_accessor :max_frame

        def initialize(max_frame: Frame::DEFAULT_MAX_FRAME)
          @max_frame = max_frame
          @buffer = String.new(encoding: Encoding::BINARY)
          @skip = 0
          @broken = false
        end

        # @param bytes [String] the next bytes of the channel
        # @yieldparam message [Frame::Message]
        # @return [void]
        def feed(bytes, &block)
          return if @broken

          bytes = skip(bytes) if @skip.positive?
          if @buffer.empty?
            rest = cut(bytes, &block)
            @buffer = bytes.byteslice(rest, bytes.bytesize - rest) if rest < bytes.bytesize
          else
            @buffer << bytes
            rest = cut(@buffer, &block)
            @buffer = @buffer.byteslice(rest, @buffer.bytesize - rest) if rest.positive?
          end
        end

        # @return [Boolean] true when the bytes so far do not end inside a frame
        def clean?
          @broken || (@buffer.empty? && @skip.zero?)
        end

        # @return [Boolean] true after a `bad_frame`; nothing is read any more
        def broken?
          @broken
        end

        private

        # @return [Integer] offset of the first byte that was not used up
        def cut(bytes, &block)
          offset = 0
          size = bytes.bytesize
          while offset < size
            return break_off(bytes, offset, &block) if bytes.getbyte(offset) > 0x04
            break if size - offset < Frame::PREFIX_BYTES

            length = bytes.unpack1('N', offset: offset)
            header_bytes = bytes.unpack1('N', offset: offset + 4)
            return break_off(bytes, offset, &block) unless possible?(length, header_bytes)
            break if size - offset < Frame::PREFIX_BYTES + header_bytes

            if length > @max_frame
              offset = begin_skip(bytes, offset, length, header_bytes, &block)
            else
              stop = offset + 4 + length
              break if size < stop

              body_start = offset + Frame::PREFIX_BYTES + header_bytes
              yield message(bytes.byteslice(offset + Frame::PREFIX_BYTES, header_bytes),
                            bytes.byteslice(body_start, stop - body_start))
              offset = stop
            end
          end
          offset
        end

        def possible?(length, header_bytes)
          length <= Frame::MAX_SKIPPED_FRAME && header_bytes.positive? &&
            header_bytes <= Frame::MAX_HEADER_BYTES && header_bytes + 4 <= length
        end

        def message(header_text, body)
          body.force_encoding(Encoding::UTF_8)
          header = parse_header(header_text)
          header ? Frame::Message.new(nil, header, body) : Frame::Message.new('bad_header', nil, header_text)
        end

        def parse_header(text)
          header = Json.parse_header(text.force_encoding(Encoding::UTF_8))
          header if Hash === header && String === header['type']
        rescue Json::InvalidValue
          nil
        end

        # Reported at once: the host need not send the rest of the body for the step to be answered.
        def begin_skip(bytes, offset, length, header_bytes)
          body_start = offset + Frame::PREFIX_BYTES + header_bytes
          yield Frame::Message.new('too_large', parse_header(bytes.byteslice(offset + Frame::PREFIX_BYTES, header_bytes)))
          @skip = length - 4 - header_bytes
          here = [@skip, bytes.bytesize - body_start].min
          @skip -= here
          body_start + here
        end

        def skip(bytes)
          here = [@skip, bytes.bytesize].min
          @skip -= here
          bytes.byteslice(here, bytes.bytesize - here)
        end

        def break_off(bytes, offset)
          @broken = true
          yield Frame::Message.new('bad_frame', nil, bytes.byteslice(offset, 64))
          bytes.bytesize
        end
      end
    end
  end
end
