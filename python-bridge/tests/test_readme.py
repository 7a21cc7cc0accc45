"""The README shows files, and the files run. `python tests/test_readme.py` puts them into it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- file: (\S+) -->\n```python\n)(.*?)(```\n)", re.DOTALL)


def filled() -> str:
    return BLOCK.sub(
        lambda found: f"{found[1]}{(ROOT / found[2]).read_text()}{found[4]}", README.read_text()
    )


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT / "examples", env=env, capture_output=True, text=True
    )


def test_the_readme_shows_the_examples() -> None:
    shown = {found[2] for found in BLOCK.finditer(README.read_text())}
    assert shown == {f"examples/{each.name}" for each in (ROOT / "examples").glob("*.py")}
    assert README.read_text() == filled()


def test_the_handlers_of_the_readme_pass_their_tests() -> None:
    done = run("-m", "pytest", "-p", "tasker_core.pytest_plugin", "-p", "no:cacheprovider", "-q",
               "--rootdir", ".", "test_orders.py")  # fmt: skip
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_a_worker_loads_the_template_in_code(start_host: Any) -> None:
    host = start_host(handlers=ROOT / "examples" / "order_task.py")
    [template] = [each["template"] for each in host.handlers if "template" in each]
    assert [step["name"] for step in template["steps"]] == ["validate", "charge"]
    inputs = {"items": [{"price": 1}, {"price": 2}]}
    assert host.run("shop.order@1.0.0:validate", inputs)[1] == {"total": 3}


def test_the_program_starts_and_stops(tmp_path: Path) -> None:
    double = Path(__file__).with_name("host_double.py")
    record = tmp_path / "record"
    program = subprocess.Popen(
        [sys.executable, "worker_program.py"],
        cwd=ROOT / "examples",
        stdout=subprocess.PIPE,
        env={
            **{name: value for name, value in os.environ.items() if name != "TASKER_BRIDGE"},
            "PYTHONPATH": str(ROOT / "src"),
            "TASKER_BIN": f"{sys.executable} {double}",
            "HOST_RECORD": str(record),
        },
    )
    try:
        deadline = time.monotonic() + 20
        while not record.exists() or "worker is up" not in record.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        program.send_signal(signal.SIGTERM)
        assert program.communicate(timeout=40)[0] == b"runs shop/order\n"
        assert program.returncode == 0
    finally:
        program.kill()
        program.wait()
    [hello] = [each for line in record.read_text().splitlines()
               if (each := json.loads(line))["type"] == "hello"]  # fmt: skip
    assert {each.get("callable") for each in hello["handlers"]} == {
        "shop.order@1.0.0:validate", "shop.order@1.0.0:charge", None,
    }  # fmt: skip
    assert '"stopped"' in record.read_text()


def test_the_task_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    from rest_double import RestDouble

    rest = RestDouble()
    try:
        done = run("create_task.py", TASKER_ORCHESTRATION_URL=rest.url)
    finally:
        rest.close()
    [task] = rest.tasks.values()
    assert done.stdout == f"{task['task_uuid']} pending\n", done.stderr
    assert task["initiator"] == "checkout"


if __name__ == "__main__":
    README.write_text(filled())
