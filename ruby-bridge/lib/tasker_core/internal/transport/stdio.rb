# frozen_string_literal: true

module TaskerCore
  module Internal
    module Transport
      # Standard input and output, for wrappers that pass on nothing else. They become private descriptors before any
      # user code runs; then descriptor 1 is stderr and 0 the null device, so that a `puts` is a line of the log.
      module Stdio
        # Reads from one descriptor and writes to another, with the methods of IO that the runtime uses.
        class Pair
          def initialize(input, output)
            @input = input
            @output = output
          end

          def read_nonblock(...) = @input.read_nonblock(...)
          def wait_readable(...) = @input.wait_readable(...)
          def write_nonblock(...) = @output.write_nonblock(...)
          def wait_writable(...) = @output.wait_writable(...)

          def close
            @input.close
            @output.close
          end
        end

        module_function

        # @return [Pair]
        def open(_place)
          pair = Pair.new(private_copy($stdin), private_copy($stdout))
          $stdin.reopen(File::NULL)
          $stdout.reopen($stderr)
          pair
        end

        def private_copy(io)
          copy = io.dup
          copy.binmode
          copy.sync = true
          copy.close_on_exec = true
          copy
        end
      end
    end
  end
end
