# frozen_string_literal: true

require 'optparse'
require_relative 'runtime'

module TaskerCore
  module Internal
    # The program `tasker-bridge`: loads handlers and serves the host that started it.
    class CommandLine
      # Measured with bench/echo.rb: trivial steps run equally fast from 16 slots to 128, so more are only for handlers
      # that wait. 32 let a process wait for 32 services or database connections at a time, which applications'
      # connection pools still stand; whoever waits for more sets --slots.
      DEFAULT_SLOTS = 32
      USAGE_ERROR = 2

      # @param arguments [Array<String>]
      def initialize(arguments)
        @arguments = arguments
        @handlers = []
        @slots = DEFAULT_SLOTS
        @pool = 'default'
      end

      # @return [Integer] exit code
      def run
        parse
        $stdout.sync = $stderr.sync = true
        # Not for the processes that handlers start: the channel is closed there.
        address = ENV.delete('TASKER_BRIDGE')
        token = Transport::Token.read(ENV.delete('TASKER_BRIDGE_TOKEN_FILE'))
        io = Transport.open(address)
        registry = Registry::HandlerRegistry.instance.skip_bootstrap!
        HandlerLoader.new(registry).load(@handlers)
        HandlerBootstrap.new(registry).register_examples
        Session.adopt(Runtime::WorkerProcess.new(io, pool: @pool, slots: @slots, handlers: Manifest.build(registry, @pool), token: token)).run
      rescue OptionParser::ParseError, Errors::ConfigurationError, Errors::TimeoutError => e
        warn "tasker-bridge: #{e.message}"
        USAGE_ERROR
      end

      private

      def parse
        parser = OptionParser.new do |o|
          o.banner = 'usage: tasker-bridge --handlers DIR_OR_FILE [--handlers ...] [--slots N] [--pool NAME]'
          o.on('--handlers PATH', 'file or folder with handlers; may be repeated (default: $RUBY_HANDLER_PATH)') { |path| @handlers << path }
          o.on('--slots N', Integer, "steps at a time (default: #{DEFAULT_SLOTS})") { |number| @slots = number }
          o.on('--pool NAME', 'name of the pool (default: default)') { |name| @pool = name }
          o.on('--version', 'print the version') { print_and_exit(VERSION) }
          o.on('--help', 'print this') { print_and_exit(o) }
        end
        rest = parser.parse(@arguments)
        raise OptionParser::InvalidArgument, rest.first unless rest.empty?
        raise OptionParser::InvalidArgument, '--slots must be at least 1' unless @slots.positive?

        @handlers = ENV.fetch('RUBY_HANDLER_PATH', '').split(File::PATH_SEPARATOR) if @handlers.empty?
        raise OptionParser::MissingArgument, '--handlers' if @handlers.empty?
      end

      def print_and_exit(text)
        puts text
        exit(0)
      end
    end
  end
end
