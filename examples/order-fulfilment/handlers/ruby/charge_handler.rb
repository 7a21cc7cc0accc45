# frozen_string_literal: true

# A class handler: charges the card for what TypeScript computed, once Python has reserved the goods.
class ChargeHandler < TaskerCore::StepHandler::Base
  def self.handler_name = 'orders.charge'

  def call(context)
    sleep(context.get_config('latency_ms') / 1000.0)
    price = context.get_dependency_result('price_and_tax')
    order_id = context.get_input('order_id')

    authorise(context.get_input('card'), context.retry_count)

    success(result: {
      payment_id: "pay_#{order_id.delete_prefix('SO-')}",
      amount: price['total'],
      currency: price['currency'],
      ledger_entry: context.get_dependency_field('reserve_inventory', 'ledger_entry') + 1
    })
  end

  private

  # Test cards, as payment providers have them: `slow_2` times out twice, `down` always.
  def authorise(card, retries)
    raise TaskerCore::Errors::PermanentError.new('card declined', error_code: 'CARD_DECLINED') if card == 'declined'

    timeouts = card == 'down' ? Float::INFINITY : card[/\Aslow_(\d+)\z/, 1].to_i
    return if retries >= timeouts

    # The gateway says when to come back; that wins over the template's backoff.
    raise TaskerCore::Errors::RetryableError.new('payment gateway timed out', retry_after: 0.3)
  end
end
