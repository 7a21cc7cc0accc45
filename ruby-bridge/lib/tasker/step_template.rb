# frozen_string_literal: true

module Tasker
  # One step of a task definition.
  class StepTemplate
    # @return [String]
    attr_reader :name
    # @return [Array<String>] steps that must be complete first
    attr_reader :depends_on_steps
    # @return [Boolean]
    attr_reader :retryable
    # @return [Integer] attempts in total
    attr_reader :retry_limit
    # @return [Integer, nil] milliseconds
    attr_reader :timeout
    # @return [String, nil]
    attr_reader :description
    # @return [Hash] given to the handler as its config, String keys
    attr_reader :handler_config

    # @raise [ArgumentError] naming what is wrong
    def initialize(name:, handler_class: nil, depends_on_step: nil, retryable: true, retry_limit: 3, timeout: nil,
                   description: nil, handler_config: nil)
      @name = name.to_s
      @handler_class = handler_class
      @depends_on_steps = Array(depends_on_step).map(&:to_s)
      @retryable = retryable
      @retry_limit = retry_limit
      @timeout = timeout
      @description = description
      @handler_config = (handler_config || {}).to_h.transform_keys(&:to_s)
      validate!
    end

    # @param owner [Class] the task handler: classes next to it are found by their short name
    # @return [String] constant name, which is the callable
    def handler_class(owner = Object)
      given = @handler_class.is_a?(Module) ? @handler_class.name : @handler_class
      return given.to_s.delete_prefix('::') if given

      short = TaskerCore::Internal::Names.camelize(name)
      candidates = [owner, *enclosing(owner), Object].flat_map do |scope|
        ["#{short}Handler", short].map { |constant| scope.equal?(Object) ? constant : "#{scope.name}::#{constant}" }
      end
      candidates.find { |constant| handler?(constant) } || "#{short}Handler"
    end

    # @return [Hash] the step in the shape of a YAML template
    def to_template(owner)
      {
        'name' => name, 'description' => description, 'dependencies' => depends_on_steps,
        'handler' => {'callable' => handler_class(owner), 'initialization' => handler_config},
        'retry' => {'retryable' => retryable, 'max_attempts' => retry_limit},
        # Templates count whole seconds; a shorter limit becomes the next longer one.
        'timeout_seconds' => timeout && (timeout / 1000.0).ceil
      }.compact
    end

    private

    def validate!
      raise ArgumentError, 'a step needs a name' if name.empty?
      raise ArgumentError, "step #{name}: retryable must be true or false, got #{retryable.inspect}" unless [true, false].include?(retryable)
      unless retry_limit.is_a?(Integer) && retry_limit.positive?
        raise ArgumentError, "step #{name}: retry_limit counts attempts and must be a positive Integer, got #{retry_limit.inspect}"
      end
      return if timeout.nil? || (timeout.is_a?(Numeric) && timeout.positive?)

      raise ArgumentError, "step #{name}: timeout must be a positive number of milliseconds, got #{timeout.inspect}"
    end

    def enclosing(owner)
      segments = owner.name.to_s.split('::')[0...-1]
      segments.size.downto(1).map { |count| Object.const_get(segments.first(count).join('::')) }
    end

    def handler?(constant)
      found = Object.const_get(constant)
      found.is_a?(Class) && found.method_defined?(:call)
    rescue NameError
      false
    end
  end
end
