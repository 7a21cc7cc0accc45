from tasker_core import StepHandler
from tasker_core.errors import PermanentError
from tasker_core.step_handler import depends_on, inputs, step_handler


@step_handler("orders.charge")
@depends_on(order="validate_order")
@inputs("card_token")
def charge(order, card_token):
    if order["total"] <= 0:
        raise PermanentError("nothing to charge")
    return {"charged": order["total"]}


class Ship(StepHandler):
    handler_name = "orders.ship"

    async def call(self, context):
        charged = context.get_dependency_field("charge", "charged")
        return self.success({"shipped": True, "value": charged})
