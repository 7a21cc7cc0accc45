"""Steps for the benchmarks: trivial ones, which add one to what came before, and a busy one."""

import time

from tasker_core.step_handler import depends_on, inputs, step_handler


@step_handler("bench.py_step")
@depends_on(previous="one")
@inputs("n")
def py_step(previous, n):
    return {"n": previous["n"] + 1}


@step_handler("bench.python_burn")
@inputs("ms")
def burn(ms):
    """`ms` of this thread's processor time, however long the clock says it takes."""
    end = time.thread_time() + ms / 1000
    turns = 0
    while time.thread_time() < end:
        turns += 1
    return {"turns": turns}
