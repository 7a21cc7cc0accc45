from tasker_core.definitions import step, task_handler


@task_handler("order", namespace="shop", version="1.0.0", input={"required": ["items"]})
class Order:
    @step()
    def validate(self, context):
        return {"total": sum(item["price"] for item in context.get_input("items"))}

    @step(depends_on=["validate"], retry_limit=5, timeout_ms=10_000)
    async def charge(self, validate):
        return {"charged": validate["total"]}
