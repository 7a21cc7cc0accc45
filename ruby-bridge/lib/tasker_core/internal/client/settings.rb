# frozen_string_literal: true

module TaskerCore
  module Internal
    module Client
      # Where a server is and how to speak to it.
      Settings = Struct.new(:base_url, :timeout_ms, :max_retries, :headers, keyword_init: true) do
        # @return [Float]
        def timeout_seconds = timeout_ms / 1000.0
      end

      # Reads client configuration: built-in defaults, then a file or one of its profiles, then variables.
      class SettingsReader
        DEFAULT_URLS = {'orchestration' => 'http://localhost:8080', 'worker' => 'http://localhost:8081'}.freeze
        TIMEOUT_MS = 30_000
        MAX_RETRIES = 3

        # @param env [Hash, ENV]
        # @param folder [String] the working directory
        def initialize(env: ENV, folder: Dir.pwd)
          @env = env
          @folder = folder
        end

        # @param server [String] `orchestration` or `worker`
        # @return [Settings]
        # @raise [Errors::ConfigurationError] for a file that cannot be read, a profile that is not there, a bad number
        def read(server)
          table = configured[server] || {}
          Settings.new(
            base_url: variable(server, 'URL') || table['base_url'] || DEFAULT_URLS.fetch(server),
            timeout_ms: positive(variable(server, 'TIMEOUT_MS') || table['timeout_ms'] || TIMEOUT_MS, "timeout_ms of #{server}"),
            max_retries: table['max_retries'] || MAX_RETRIES,
            headers: {'User-Agent' => "tasker-worker/#{VERSION}", 'Accept' => 'application/json', **authorization(server, table)}
          )
        end

        private

        def variable(server, name)
          value = @env["TASKER_#{server.upcase}_#{name}"]
          value unless value.nil? || value.empty?
        end

        # A bearer token takes precedence over an API key.
        def authorization(server, table)
          method = table.dig('auth', 'method') || {}
          token = variable(server, 'AUTH_TOKEN') || present('TASKER_AUTH_TOKEN') || table['auth_token']
          key = present('TASKER_API_KEY')
          token ||= method['value'] if key.nil? && method['type'] == 'BearerToken'
          return {'Authorization' => "Bearer #{token}"} if token

          given = method['type'] == 'ApiKey' ? method['value'] || {} : {}
          key ||= given['key']
          key ? {(present('TASKER_API_KEY_HEADER') || given['header_name'] || 'X-API-Key') => key} : {}
        end

        def configured
          profile = present('TASKER_CLIENT_PROFILE')
          return profile_of(profile) if profile

          file = ['tasker-client.toml', 'config/tasker-client.toml'].map { |name| File.join(@folder, name) }
                   .push(home('.tasker/config.toml'), user('tasker/client.toml')).compact.find { |path| File.file?(path) }
          file ? parse(file) : {}
        end

        def profile_of(name)
          file = ['.config/tasker.toml', '.config/tasker-client.toml', 'tasker-client.toml'].map { |path| File.join(@folder, path) }
                   .push(user('tasker/client.toml'), home('.tasker/client.toml')).compact.find { |path| File.file?(path) }
          profiles = file ? parse(file)['profile'] || {} : {}
          unless profiles.key?(name)
            raise Errors::ConfigurationError,
                  "TASKER_CLIENT_PROFILE is #{name}; #{file ? "#{file} has #{profiles.keys.join(', ')}" : 'there is no file with profiles'}"
          end

          (profiles['default'] || {}).merge(profiles[name]) { |_, base, own| base.is_a?(Hash) && own.is_a?(Hash) ? base.merge(own) : own }
        end

        def parse(file)
          require_relative '../toml'
          Toml.parse(File.read(file), file)
        rescue SystemCallError => e
          raise Errors::ConfigurationError, "client configuration cannot be read: #{e.message}"
        end

        def home(path) = present('HOME')&.then { |folder| File.join(folder, path) }
        def user(path) = (present('XDG_CONFIG_HOME') || home('.config'))&.then { |folder| File.join(folder, path) }

        def present(name)
          value = @env[name]
          value unless value.nil? || value.empty?
        end

        def positive(value, what)
          number = Integer(value.to_s, 10, exception: false)
          return number if number&.positive?

          raise Errors::ConfigurationError, "#{what} must be a positive number of milliseconds, got #{value.inspect}"
        end
      end
    end
  end
end
