import signal
import threading

from order_task import Order

from tasker_core import Worker, log_info

stop = threading.Event()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: stop.set())

print("runs", Order.definition.key)
with Worker.start() as worker:
    log_info("worker is up", {"worker_id": worker.worker_id})
    stop.wait()
