# frozen_string_literal: true

module TaskerCore
  module Internal
    # The `.env` file of the working directory: sets variables that are not set yet.
    module DotEnv
      LINE = /\A\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^#\n]*?))\s*(?:#.*)?\z/
      ESCAPES = {'\n' => "\n", '\t' => "\t", '\"' => '"', '\\\\' => '\\'}.freeze

      module_function

      # @param path [String]
      # @param env [Hash, ENV]
      # @return [void]
      def load(path = '.env', env = ENV)
        return unless File.file?(path) && File.readable?(path)

        File.foreach(path, chomp: true) do |line|
          name, double, single, bare = LINE.match(line)&.captures
          next if name.nil? || env.key?(name)

          env[name] = double ? double.gsub(/\\[nt"\\]/, ESCAPES) : single || bare
        end
      end
    end
  end
end
