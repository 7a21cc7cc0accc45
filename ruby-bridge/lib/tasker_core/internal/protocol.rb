# frozen_string_literal: true

require_relative 'json'
require_relative 'protocol/frame'
require_relative 'protocol/frame_reader'
require_relative 'protocol/messages'
require_relative 'protocol/handshake'
