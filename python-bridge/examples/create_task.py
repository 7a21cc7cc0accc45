from tasker_core import TaskerClient

client = TaskerClient(initiator="checkout")
task = client.create_task("order", namespace="shop", context={"items": [{"price": 3}]})
print(task.task_uuid, task.status)
