# frozen_string_literal: true

# A step as the host sends it, with parts to be overridden.
module StepData
  module_function

  def build(context: {}, inputs: nil, attempts: 0, max_attempts: 3, checkpoint: nil, dependencies: {}, initialization: {},
            retryable: true, callable: 'Shop::ChargeHandler')
    {
      'task' => {'task' => {'task_uuid' => 'task-1', 'context' => context}, 'task_name' => 'order', 'task_version' => '1.2.0',
                 'namespace_name' => 'shop'},
      'workflow_step' => {'workflow_step_uuid' => 'step-1', 'task_uuid' => 'task-1', 'name' => 'charge', 'attempts' => attempts,
                          'max_attempts' => max_attempts, 'retryable' => retryable, 'inputs' => inputs, 'checkpoint' => checkpoint},
      'dependency_results' => dependencies,
      'step_definition' => {'name' => 'charge', 'dependencies' => ['validate'], 'timeout_seconds' => 30,
                            'handler' => {'callable' => callable, 'method' => nil, 'resolver' => nil, 'initialization' => initialization}}
    }
  end

  def context(**parts) = TaskerCore::Types::StepContext.new(build(**parts))
end
