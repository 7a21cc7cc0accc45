# frozen_string_literal: true

require 'securerandom'

module TaskerCore
  module Internal
    module Protocol
      # The handler's half of the handshake (BRIDGE section 3), as pure functions.
      module Handshake
        # Protocol majors this SDK speaks.
        PROTOCOLS = [1].freeze
        # Longest frame either side may send before `welcome`.
        MAX_FRAME = 1024 * 1024

        module_function

        # @return [Integer, nil] the highest common protocol major
        def choose(host, handler = PROTOCOLS)
          (host & handler).max
        end

        # @return [String] 32 lower-case hex digits
        def nonce
          SecureRandom.hex(16)
        end

        # @param role [String] `handler` or `host`, whose proof it is
        # @return [String] lower-case hex of HMAC-SHA256 over role, the peer's nonce and one's own
        def proof(token, role, peer_nonce, own_nonce)
          require 'openssl' # slow to load, and a child needs no proof
          OpenSSL::HMAC.hexdigest('SHA256', token, "#{role}#{peer_nonce}#{own_nonce}")
        end

        # Compares in constant time.
        # @return [Boolean]
        def proof_valid?(given, token, role, peer_nonce, own_nonce)
          expected = proof(token, role, peer_nonce, own_nonce)
          given.is_a?(String) && OpenSSL.secure_compare(given, expected)
        end
      end
    end
  end
end
