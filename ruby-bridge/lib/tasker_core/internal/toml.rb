# frozen_string_literal: true

require 'strscan'

module TaskerCore
  module Internal
    # The part of TOML that client configuration uses: tables, strings, numbers, booleans, arrays and inline tables.
    class Toml
      # @param text [String]
      # @param file [String] for messages
      # @return [Hash] String keys
      # @raise [Errors::ConfigurationError] naming the line that cannot be read
      def self.parse(text, file) = new(text, file).parse

      def initialize(text, file)
        @input = StringScanner.new(text)
        @file = file
        @root = {}
      end

      # @return [Hash]
      def parse
        table = @root
        until skip_blank
          if @input.skip(/\[\s*/)
            table = table_at(keys)
            @input.skip(/\s*\]/) or fail_here('a table ends with ]')
          else
            entry(table)
          end
          @input.skip(/[ \t]*(#[^\n]*)?(\r?\n|\z)/) or fail_here('one entry per line')
        end
        @root
      end

      private

      def skip_blank
        @input.skip(/(\s|#[^\n]*(\n|\z))+/)
        @input.eos?
      end

      def entry(table)
        *path, last = keys
        @input.skip(/[ \t]*=[ \t]*/) or fail_here('expected `=`')
        target = path.inject(table) { |level, key| level[key] ||= {} }
        target[last] = value
      end

      def keys
        found = [key]
        found << key while @input.skip(/[ \t]*\.[ \t]*/)
        found
      end

      def key
        return @input[1] if @input.scan(/"([^"\n]*)"/) || @input.scan(/'([^'\n]*)'/)

        @input.scan(/[A-Za-z0-9_-]+/) or fail_here('expected a key')
      end

      def value
        return string(@input[1]) if @input.scan(/"((?:[^"\\\n]|\\.)*)"/)
        return @input[1] if @input.scan(/'([^'\n]*)'/)
        return @input[0] == 'true' if @input.scan(/true\b|false\b/)
        return Float(@input[0].delete('_')) if @input.scan(/[-+]?\d[\d_]*(\.\d[\d_]*([eE][-+]?\d+)?|[eE][-+]?\d+)/)
        return Integer(@input[0].delete('_'), 10) if @input.scan(/[-+]?\d[\d_]*/)
        return list if @input.skip(/\[/)
        return inline_table if @input.skip(/\{/)

        fail_here('expected a value')
      end

      def string(raw) = JSON.parse("\"#{raw}\"")

      def list
        items = []
        until @input.skip(/[\s,]*\]/)
          @input.skip(/[\s,]*/)
          items << value
        end
        items
      end

      def inline_table
        table = {}
        until @input.skip(/[ \t,]*\}/)
          @input.skip(/[ \t,]*/)
          entry(table)
        end
        table
      end

      def table_at(path) = path.inject(@root) { |level, name| level[name] ||= {} }

      def fail_here(expected)
        line = @input.string.byteslice(0, @input.pos).count("\n") + 1
        raise Errors::ConfigurationError, "#{@file}:#{line}: #{expected}, got #{@input.rest.lines.first.to_s.strip.slice(0, 60).inspect}"
      end
    end
  end
end
