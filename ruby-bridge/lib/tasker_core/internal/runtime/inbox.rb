# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # Takes the host's messages and passes each to who deals with it.
      #
      # Its thread blocks on the channel and never writes to it (both sides could wait for each other): answers go
      # through the clerk. It ends at the end of the channel, after `bye`, or when the bytes make no sense.
      class Inbox
        # Bad messages in a window before the connection is given up.
        BAD_MESSAGES = 10
        WINDOW_SECONDS = 60

        # @param control [Thread::Queue] gets what the main thread must act upon: `[name, *details]`
        # @param events [EventLane]
        # @param publications [Publications]
        def initialize(reader:, ledger:, queue:, clerk:, control:, events:, publications:)
          @reader = reader
          @ledger = ledger
          @queue = queue
          @clerk = clerk
          @control = control
          @events = events
          @publications = publications
          @bad = []
          @done = false
        end

        # @param early_messages [Array<Protocol::Frame::Message>] that came with the handshake
        def start(early_messages)
          @thread = Thread.new { run(early_messages) }
          @thread.name = 'tasker-reader'
        end

        private

        def run(early_messages)
          early_messages.each { |message| take(message) }
          until @done
            case @reader.read(timeout: @queue.wake) { |message| take(message) }
            when :timeout then @queue.nudge
            when :closed then break
            end
          end
        rescue StandardError => e
          # Without its reader the process is deaf: say why, and end as at the end of the channel.
          Internal::LogOutput.write('error', 'bridge', "reader failed: #{e.class}: #{e.message}", 'backtrace' => e.backtrace&.first(5))
        ensure
          @ledger.close
          @control << [:channel_closed] unless @done
        end

        def take(message)
          return if @done
          return take_error(message) if message.error

          header = message.header
          problem = Protocol::Messages.problem(header)
          return refuse(header, *problem) if problem

          case header['type']
          when 'step' then take_step(header, message.body)
          when 'notify' then take_event(header, message.body)
          when 'ack' then take_ack(header)
          when 'cancel' then @ledger.cancel(header['delivery_id'], header['reason'])
          when 'ping' then @clerk.put(Protocol::Frame.encode({'type' => 'pong', 'n' => header['n']}))
          when 'pong' then @ledger.note_pong
          when 'drain' then @control << [:drain, header['grace_ms'], header['reason']]
          when 'bye' then end_with([:bye, header['reason']])
          when 'nack' then note_nack(header)
          end
        end

        def take_step(header, body)
          delivery = Delivery.new(header, body)
          code = @ledger.add(delivery)
          return nack(header, code, "delivery #{delivery.id} cannot be taken: #{code}") if code

          @clerk.beat(header['heartbeat_ms']) if header['heartbeat_ms']&.positive?
          @queue.push(delivery)
        end

        def take_event(header, body)
          problem = @events.receive(header, body)
          refuse(header, *problem) if problem
        end

        def take_ack(header)
          items = header['items']
          @publications.settled(items)
          @ledger.acknowledge(items)
          items.each { |item| note_refused(item) unless item['status'] == 'committed' }
        end

        def note_refused(item)
          Internal::LogOutput.write('warn', 'bridge', "the host did not store a completion: #{item['status']}",
                                    'delivery' => item['id'], 'code' => item['code'])
        end

        # A completion that the host does not want is settled too.
        def note_nack(header)
          @ledger.acknowledge([{'id' => header['ref_id']}]) if header['ref_id']
          Internal::LogOutput.write('warn', 'bridge', "the host refused a message: #{header['code']}: #{header['detail']}",
                                    'ref_type' => header['ref_type'], 'ref_id' => header['ref_id'])
        end

        def take_error(message)
          case message.error
          when 'too_large' then nack(message.header || {}, 'too_large', 'the frame is longer than max_frame')
          when 'bad_header' then refuse({}, 'bad_header', 'the header is not a JSON object with a type')
          else end_with([:broken, 'bad_frame', "bytes that are no frame: #{message.body.inspect}"])
          end
        end

        def refuse(header, code, detail)
          nack(header, code, detail)
          now = Clock.now
          @bad << now
          @bad.shift while @bad.first < now - WINDOW_SECONDS
          end_with([:broken, 'protocol_error', "#{BAD_MESSAGES} bad messages in #{WINDOW_SECONDS} s"]) if @bad.size >= BAD_MESSAGES
        end

        def nack(header, code, detail)
          type, id = header.values_at('type', 'delivery_id')
          @clerk.put(Protocol::Frame.encode({'type' => 'nack', 'ref_type' => type.to_s, 'ref_id' => (id if id.is_a?(String)),
                                             'code' => code, 'detail' => detail}))
        end

        def end_with(event)
          @done = true
          @control << event
        end
      end
    end
  end
end
