# frozen_string_literal: true

module TaskerCore
  module Internal
    module Protocol
      # One frame of the bridge: `u32 length, u32 header_len, header, body`, big endian, where `length` counts
      # everything after itself. `header` is one JSON object, `body` bytes that are looked at only when needed.
      module Frame
        # Bytes of the two length fields.
        PREFIX_BYTES = 8
        MAX_HEADER_BYTES = 65_536
        # Default of `max_frame`, the limit on `length`; negotiated down per connection.
        DEFAULT_MAX_FRAME = 16 * 1024 * 1024
        # Nothing longer is even skipped: such a length means that the channel is not in step any more.
        MAX_SKIPPED_FRAME = 64 * 1024 * 1024

        # What a reader yields. `error` is nil, `bad_header`, `too_large` or `bad_frame`; `body` is UTF-8 text
        # or, after an error, the bytes worth logging.
        Message = Struct.new(:error, :header, :body)

        module_function

        # @param header [Hash] JSON object with `type`
        # @param body [String, nil] bytes
        # @return [String] bytes of the frame
        def encode(header, body = nil)
          encode_text(Json.dump(header), body)
        end

        # @param header_text [String] JSON of the header
        # @param body [String, nil]
        # @return [String] bytes; tagged UTF-8, because joining strings of one encoding copies no more than needed
        def encode_text(header_text, body = nil)
          header_bytes = header_text.bytesize
          frame = [4 + header_bytes + (body ? body.bytesize : 0), header_bytes].pack('NN').force_encoding(Encoding::UTF_8)
          frame << header_text
          frame << (body.encoding == Encoding::UTF_8 ? body : body.dup.force_encoding(Encoding::UTF_8)) if body
          frame
        end
      end
    end
  end
end
