# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # A process that a handler forks must not speak on its parent's channel. `Process._fork` is what `fork`,
      # `Kernel#fork` and `IO.popen('-')` all go through; `system` and `spawn` close the channel on exec.
      module ForkGuard
        class << self
          # @return [Proc, nil] run in the child, before any other code
          attr_accessor :in_child

          def install(&in_child)
            self.in_child = in_child
            Process.singleton_class.prepend(self) unless Process.singleton_class.include?(self)
          end
        end

        def _fork
          pid = super
          ForkGuard.in_child&.call if pid.zero?
          pid
        end
      end
    end
  end
end
