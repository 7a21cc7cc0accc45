# frozen_string_literal: true

module TaskerCore
  module Internal
    module Transport
      # An inherited file descriptor: a socket pair that the host made, full duplex.
      module Fd
        module_function

        # @param place [String] the number
        # @return [IO]
        # @raise [Errors::ConfigurationError] when there is no such descriptor
        def open(place)
          io = IO.for_fd(Integer(place, 10), 'r+b')
          io.close_on_exec = true
          io.sync = true
          io
        rescue ArgumentError, TypeError, SystemCallError => e
          raise Errors::ConfigurationError, "TASKER_BRIDGE names fd #{place.inspect}, which cannot be used: #{e.message}"
        end
      end
    end
  end
end
