# frozen_string_literal: true

require_relative 'transport/fd'
require_relative 'transport/stdio'
require_relative 'transport/unix'
require_relative 'transport/tcp'
require_relative 'transport/token'

module TaskerCore
  module Internal
    # How the channel to the host is reached, as `TASKER_BRIDGE` says.
    module Transport
      LANES = {'fd' => Fd, 'stdio' => Stdio, 'unix' => Unix, 'tcp' => Tcp}.freeze

      module_function

      # @param address [String, nil] `fd:3`, `stdio`, `unix:/path` or `tcp:host:port`
      # @return [IO] read and written without blocking, closed on exec
      # @raise [Errors::ConfigurationError]
      def open(address)
        lane, place = address.to_s.split(':', 2)
        opener = LANES[lane]
        unless opener
          raise Errors::ConfigurationError,
                "TASKER_BRIDGE is #{address.inspect}; expected fd:<number>, stdio, unix:<path> or tcp:<host>:<port>. " \
                'A Tasker worker sets it when it starts this program'
        end

        opener.open(place)
      end
    end
  end
end
