# frozen_string_literal: true

require 'singleton'

module TaskerCore
  module Internal
    # What programs written for the reference ask about the orchestration: it runs in another process, so there is
    # nothing to start here, only something to ask.
    class OrchestrationManager
      include Singleton

      # @return [Boolean] whether this process is connected to a host
      def initialized? = Session.running?

      # @return [Hash]
      def status = {initialized: initialized?, server: Client::SettingsReader.new.read('orchestration').base_url}

      # @return [Boolean] whether the orchestration server answers that it is healthy
      def healthy?
        TaskerCore::Client.health_check['healthy'] == true
      rescue Errors::Error
        false
      end
    end
  end
end
