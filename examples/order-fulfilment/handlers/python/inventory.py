"""Reserves goods in a warehouse that is sometimes busy."""

import asyncio

from tasker_core.errors import ResourceContentionError
from tasker_core.step_handler import depends_on, inputs, step_handler


@step_handler("orders.reserve_inventory")
@depends_on(order="validate")
@inputs("warehouse", "ledger_number")
async def reserve_inventory(order, warehouse, ledger_number, context):
    """A decorated function. As it is `async`, hundreds can wait for the warehouse at once."""
    await asyncio.sleep(context.step_config["latency_ms"] / 1000)

    if context.retry_count < warehouse["busy_attempts"]:
        # Retryable: the template's `retry` block decides when the next attempt is.
        raise ResourceContentionError(f"warehouse {warehouse['code']} is counting its stock")

    return {
        "reservation": f"{warehouse['code']}/{order['order_id']}",
        "units": order["units"],
        "weight_kg": order["weight_g"] / 1000,
        # A 64-bit number, exact in Python and in Ruby; JavaScript only carries it.
        "ledger_entry": ledger_number + 1,
    }
