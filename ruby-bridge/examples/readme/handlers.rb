require 'tasker_core'
include TaskerCore::StepHandler::Functional

ValidateCartHandler = step_handler('shop.validate_cart', inputs: [:items]) do |items:, context:|
  raise TaskerCore::PermanentError, 'the cart is empty' if items.empty?

  { total: items.sum { |item| item[:price] * item[:quantity] } }
end

module Shop
  class ChargeHandler < TaskerCore::StepHandler::Base
    def call(context)
      total = context.get_dependency_field('validate_cart', 'total')
      success(result: { charged: total })
    end
  end
end
