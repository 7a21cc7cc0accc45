"""Scores how risky an order is."""

import time

from tasker_core import PermanentError, StepContext, StepHandler, StepHandlerResult

THROWAWAY_MAIL = ("trashmail.example", "tempbox.example")


class FraudScore(StepHandler):
    """A class handler. Plain `def` runs on a thread, so blocking is fine."""

    handler_name = "orders.fraud_score"

    def call(self, context: StepContext) -> StepHandlerResult:
        time.sleep(context.step_config["latency_ms"] / 1000)
        customer = context.get_input("customer")
        units = context.get_dependency_field("validate", "units")

        score = 10
        if customer["country"] != context.get_input("ship_to"):
            score += 25
        if customer["email"].endswith(THROWAWAY_MAIL):
            score += 40
        score += 5 * min(units // 10, 5)

        if score >= context.step_config["limit"]:
            # Permanent: no retry changes a score, so the order stops here for a person to look at.
            raise PermanentError(f"risk score {score}", error_code="FRAUD_SUSPECTED")
        verdict = "review" if score >= 50 else "accept"
        return self.success({"score": score, "verdict": verdict})
