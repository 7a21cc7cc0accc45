# frozen_string_literal: true

module TaskerCore
  module Internal
    module Transport
      # The secret that a host and the processes that join it both know. It is only ever read from a file that nobody
      # else can read: arguments and variables are visible to others.
      module Token
        module_function

        # @param path [String, nil] the value of TASKER_BRIDGE_TOKEN_FILE
        # @return [String, nil] without the line end; nil without a path
        # @raise [Errors::ConfigurationError] when the file is missing, empty, or readable by others
        def read(path)
          return nil if path.nil? || path.empty?

          File.open(path) do |file|
            mode = file.stat.mode & 0o777
            unless (mode & 0o077).zero?
              raise Errors::ConfigurationError, format('%s has mode %04o; expected 0600, readable by its owner only', path, mode)
            end

            token = file.read.strip
            raise Errors::ConfigurationError, "#{path} is empty; expected the bridge token" if token.empty?

            token
          end
        rescue SystemCallError => e
          raise Errors::ConfigurationError, "TASKER_BRIDGE_TOKEN_FILE cannot be read: #{e.message}"
        end
      end
    end
  end
end
