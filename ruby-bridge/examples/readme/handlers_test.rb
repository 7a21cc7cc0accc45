require 'minitest/autorun'
require 'tasker_core/testing'
require_relative 'handlers'

class HandlersTest < Minitest::Test
  def test_an_empty_cart_is_refused_for_good
    error = TaskerCore::Testing.run_step(ValidateCartHandler, context: { items: [] })
    assert_equal ['the cart is empty', false], [error.message, error.retryable]
  end

  def test_the_total_is_charged
    charged = TaskerCore::Testing.run_step(Shop::ChargeHandler, dependencies: { validate_cart: { total: 12 } })
    assert_equal 12, charged.result[:charged]
  end
end
