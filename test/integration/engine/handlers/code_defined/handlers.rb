# frozen_string_literal: true

require 'tasker'

# A task and its steps in code, as the original gem had them.
class CodeOrder < Tasker::TaskHandler::Base
  register_handler 'code_order', namespace_name: 'tests', version: '1.0.0'

  define_step_templates do |templates|
    templates.define(name: 'validate')
    templates.define(name: 'charge', depends_on_step: 'validate', retry_limit: 3)
    templates.define(name: 'ship', depends_on_step: %w[validate charge], handler_class: 'CodeOrder::ShipHandler')
  end

  def schema = {type: 'object', required: ['total'], properties: {total: {type: 'integer'}}}

  class ValidateHandler < Tasker::StepHandler::Base
    def process(task, _sequence, _step)
      raise 'too much' if task.context['total'] > 1000

      {total: task.context['total']}
    end
  end

  class ChargeHandler < Tasker::StepHandler::Base
    def process(_task, sequence, step)
      raise Tasker::RetryableError.new('busy', delay: 0.01) if step.attempts.to_i.zero?

      {charged: step_results(sequence, 'validate')['total']}
    end
  end

  class ShipHandler < Tasker::StepHandler::Base
    def process(_task, sequence, _step) = {shipped: step_results(sequence, 'charge')['charged']}
  end
end

# Another version of the same task.
class CodeOrderNext < CodeOrder
  register_handler 'code_order', namespace_name: 'tests', version: '1.1.0'

  define_step_templates { |templates| templates.define(name: 'validate', handler_class: 'CodeOrder::ValidateHandler') }
end

# One that the host must refuse, by name, without losing the others.
class CodeBroken < Tasker::TaskHandler::Base
  register_handler 'code_broken', namespace_name: 'not a namespace', version: '1.0.0'

  define_step_templates { |templates| templates.define(name: 'validate', depends_on_step: 'nobody') }
end
