"""Trivial steps for the benchmarks: each adds one to what came before."""

from tasker_core.step_handler import depends_on, inputs, step_handler


@step_handler("bench.py_step")
@depends_on(previous="one")
@inputs("n")
def py_step(previous, n):
    return {"n": previous["n"] + 1}
