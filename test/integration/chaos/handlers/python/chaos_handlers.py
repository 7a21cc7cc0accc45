"""A step that is busy when its process is killed, in a process that has started another one."""

import subprocess
import time

from tasker_core.step_handler import inputs, step_handler

_started = []


@step_handler("chaos.python")
@inputs("n", "ms", "marker")
def work(n, ms, marker):
    if not _started:
        _started.append(subprocess.Popen(["sleep", f"86400.{marker}"]))
    time.sleep(ms / 1000)
    return {"n": n}


@step_handler("chaos.python_deaf")
@inputs("ms", "marker")
def deaf(ms, marker):
    """Starts a process and computes, whatever it is asked to."""
    subprocess.Popen(["sleep", f"86400.{marker}"])
    end = time.monotonic() + ms / 1000
    while time.monotonic() < end:
        pass
    return {}
