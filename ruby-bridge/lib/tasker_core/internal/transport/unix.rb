# frozen_string_literal: true

require 'socket'

module TaskerCore
  module Internal
    module Transport
      # A Unix socket on which a host listens.
      module Unix
        module_function

        # @param path [String]
        # @return [UNIXSocket]
        # @raise [Errors::ConfigurationError] when nobody listens there
        def open(path)
          socket = UNIXSocket.new(path.to_s)
          socket.close_on_exec = true
          socket
        rescue SystemCallError, ArgumentError => e
          raise Errors::ConfigurationError, "TASKER_BRIDGE names the socket #{path.inspect}, which cannot be used: #{e.message}"
        end
      end
    end
  end
end
