# frozen_string_literal: true

require 'socket'

module TaskerCore
  module Internal
    module Runtime
      # Does the handshake, on the main thread, before any other thread uses the channel.
      class Greeter
        TIMEOUT_SECONDS = 5

        # What the host and this process have agreed on.
        Agreement = Struct.new(:max_frame, :connection_id, :early_messages)

        # @param pool [String] name of the pool
        # @param handlers [Array<Hash>] body of `hello`
        # @param token [String, nil] proves both sides to each other when the host asks for it
        def initialize(io, reader, pool:, slots:, handlers:, token: nil)
          @io = io
          @reader = reader
          @pool = pool
          @slots = slots
          @handlers = handlers
          @token = token
          @nonce = Protocol::Handshake.nonce
          @messages = []
          @deadline = Clock.now + TIMEOUT_SECONDS
        end

        # @return [Agreement]
        # @raise [Errors::ConfigurationError] when the host refuses, or does not speak
        def greet
          challenge = expect('challenge')
          protocol = Protocol::Handshake.choose(challenge['protocols'])
          send_hello(challenge, protocol || Protocol::Handshake::PROTOCOLS.max)
          welcome = expect('welcome')
          check_host(challenge, welcome)
          max_frame = [welcome['max_frame'].to_i, Protocol::Frame::DEFAULT_MAX_FRAME].min
          @reader.max_frame = max_frame
          Agreement.new(max_frame, welcome['connection_id'], @messages)
        end

        private

        def expect(type)
          until (message = @messages.shift)
            case @reader.read(timeout: [@deadline - Clock.now, 0].max) { |read| @messages << read }
            when :timeout then raise Errors::TimeoutError, "the host sent no `#{type}` within #{TIMEOUT_SECONDS} s"
            when :closed then raise Errors::ConfigurationError, "the host closed the channel before `#{type}`"
            end
          end
          header = message.header || {}
          if header['type'] == 'reject'
            raise Errors::ConfigurationError, "the host refused this process: #{header['code']}: #{header['message']}"
          end

          problem = message.error || (header['type'] == type ? Protocol::Messages.problem(header)&.last : "got #{header['type']}")
          raise Errors::ConfigurationError, "expected `#{type}` from the host: #{problem}" if problem

          header
        end

        def send_hello(challenge, protocol)
          hello = {
            'type' => 'hello', 'protocol' => protocol, 'features' => [], 'language' => 'ruby',
            'language_version' => RUBY_VERSION, 'sdk_version' => VERSION,
            'worker_id' => ENV.fetch('TASKER_WORKER_ID') { "ruby-#{Socket.gethostname}-#{Process.pid}" },
            'pid' => Process.pid, 'hostname' => Socket.gethostname, 'max_frame' => Protocol::Frame::DEFAULT_MAX_FRAME,
            'pools' => [{'name' => @pool, 'slots' => @slots, 'prefetch' => 0}], 'nonce' => @nonce, 'proof' => own_proof(challenge),
            **events
          }.compact
          write(Protocol::Frame.encode(hello, Json.dump(@handlers)))
        end

        # With a token in hand a host that asks for none is not the one the token is for.
        def own_proof(challenge)
          if challenge['auth'] == 'none'
            raise Errors::ConfigurationError, 'the host asks for no proof, although a token is configured' if @token

            return nil
          end
          raise Errors::ConfigurationError, 'the host asks for a token: name its file in TASKER_BRIDGE_TOKEN_FILE' unless @token

          Protocol::Handshake.proof(@token, 'handler', challenge['nonce'], @nonce)
        end

        def check_host(challenge, welcome)
          return if challenge['auth'] == 'none'
          return if Protocol::Handshake.proof_valid?(welcome['proof'], @token, 'host', @nonce, challenge['nonce'])

          raise Errors::ConfigurationError, 'the host did not prove that it knows the token'
        end

        def events
          publishers = DomainEvents::PublisherRegistry.instance.registered_names.first(Protocol::Messages::MAX_ITEMS)
          {**EventFeed.instance.interest, 'publishers' => publishers}
        end

        def write(bytes)
          until bytes.empty?
            written = @io.write_nonblock(bytes, exception: false)
            if written == :wait_writable
              @io.wait_writable([@deadline - Clock.now, 0].max) or raise Errors::TimeoutError, 'the host reads nothing'
            else
              bytes = bytes.byteslice(written, bytes.bytesize - written)
            end
          end
        end
      end
    end
  end
end
