# frozen_string_literal: true

include TaskerCore::StepHandler::Functional

KILOGRAMS_PER_PARCEL = 20

# The functional form: a block with keywords for the dependencies and inputs it names.
ShipHandler = step_handler(
  'orders.ship',
  depends_on: {payment: 'charge', goods: 'reserve_inventory'},
  inputs: %i[customer ship_to]
) do |payment:, goods:, customer:, ship_to:, context:|
  sleep(context.get_config('latency_ms') / 1000.0)
  parcels = (goods['weight_kg'] / KILOGRAMS_PER_PARCEL).ceil

  {
    tracking: "#{ship_to}-#{payment['payment_id'].delete_prefix('pay_')}-#{parcels}",
    parcels: parcels,
    label: "#{customer['name']} (#{ship_to}) from #{goods['reservation']}"
  }
end
