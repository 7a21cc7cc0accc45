# frozen_string_literal: true

require 'json'

# Reads the conformance vectors that all languages share.
module Vectors
  FOLDER = File.expand_path('../../test/conformance/bridge', __dir__)

  def self.load(name)
    JSON.parse(File.read(File.join(FOLDER, "#{name}.json")), max_nesting: 200)
  end
end
