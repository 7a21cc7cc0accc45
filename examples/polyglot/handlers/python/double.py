from tasker_core import StepContext, StepHandler, StepHandlerResult


class Double(StepHandler):
    handler_name = "polyglot.double"

    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success({"value": 2 * context.get_dependency_field("seed", "value")})
