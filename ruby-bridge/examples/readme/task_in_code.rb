require 'tasker'

class OrderProcess < Tasker::TaskHandler::Base
  register_handler 'process_order', namespace_name: 'shop', version: '1.0.0'

  define_step_templates do |templates|
    templates.define(name: 'validate_order', retry_limit: 1)
    templates.define(name: 'charge', depends_on_step: 'validate_order', handler_class: 'OrderProcess::ChargeHandler', timeout: 5_000)
  end

  def schema = { type: 'object', required: ['total'] }

  class ValidateOrderHandler < Tasker::StepHandler::Base
    def process(task, sequence, step)
      raise Tasker::PermanentError, 'nothing to pay' if task.context['total'].zero?

      { total: task.context['total'] }
    end
  end

  class ChargeHandler < Tasker::StepHandler::Base
    def process(task, sequence, step)
      raise Tasker::RetryableError.new('the bank is busy', delay: 30) if task.context['bank'] == 'busy'

      { charged: step_results(sequence, 'validate_order')['total'] }
    end
  end
end
