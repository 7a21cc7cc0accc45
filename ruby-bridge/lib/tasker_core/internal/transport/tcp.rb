# frozen_string_literal: true

require 'socket'

module TaskerCore
  module Internal
    module Transport
      # TCP to a host on this machine. Other machines need TLS, which this lane does not speak.
      module Tcp
        CONNECT_SECONDS = 5

        module_function

        # @param place [String] `host:port`; `[::1]:port` for IPv6
        # @return [Socket]
        # @raise [Errors::ConfigurationError] for an address that is not loopback, or when nobody listens there
        def open(place)
          host, _, port = place.to_s.rpartition(':')
          host = host.delete_prefix('[').delete_suffix(']')
          address = loopback(host, port)
          socket = Socket.new(address.afamily, :STREAM)
          connect(socket, address)
          socket.setsockopt(:TCP, :NODELAY, true)
          socket.close_on_exec = true
          socket
        rescue SystemCallError, SocketError => e
          socket&.close
          raise Errors::ConfigurationError, "TASKER_BRIDGE names tcp:#{place}, which cannot be reached: #{e.message}"
        end

        def loopback(host, port)
          found = Addrinfo.getaddrinfo(host, port, nil, :STREAM)
          found.find { |address| address.ipv4_loopback? || address.ipv6_loopback? } or
            raise Errors::ConfigurationError,
                  "TASKER_BRIDGE names tcp:#{host}:#{port}, another machine: only loopback addresses are allowed without TLS"
        end

        def connect(socket, address)
          return unless socket.connect_nonblock(address.to_sockaddr, exception: false) == :wait_writable
          raise Errno::ETIMEDOUT unless socket.wait_writable(CONNECT_SECONDS)

          error = socket.getsockopt(:SOCKET, :ERROR).int
          raise SystemCallError.new(nil, error) unless error.zero?
        end
        private_class_method :loopback, :connect
      end
    end
  end
end
