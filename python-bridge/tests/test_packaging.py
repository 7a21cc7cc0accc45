"""The package as users get it: built, installed into an empty environment, run."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from host import ROOT

PROBE = """
import importlib.metadata as metadata, importlib.resources as resources, json
import tasker_core
assert "site-packages" in tasker_core.__file__, tasker_core.__file__
assert (resources.files("tasker_core") / "py.typed").is_file()
points = {(each.group, each.name) for each in metadata.distribution("tasker-bridge").entry_points}
assert ("console_scripts", "tasker-python-worker") in points, points
assert ("pytest11", "tasker") in points, points
assert not metadata.requires("tasker-bridge") or all(
    "extra ==" in each for each in metadata.requires("tasker-bridge")
)
print(metadata.version("tasker-bridge"), len(tasker_core.__all__))
"""


def run(*command: str, **options: object) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, **options)  # type: ignore[call-overload]
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}\n{done.stderr}")
    return str(done.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        str(ROOT),
        "--no-deps",
        "-q",
        "-w",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    if done.returncode != 0 and "hatchling" in done.stderr:
        pytest.skip(f"the build backend hatchling cannot be fetched here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    [built] = folder.glob("tasker_bridge-*.whl")
    return built


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    sources = {
        f"tasker_core/{each.relative_to(ROOT / 'src' / 'tasker_core')}"
        for each in (ROOT / "src" / "tasker_core").rglob("*")
        if each.suffix == ".py" or each.name == "py.typed"
    }
    packaged = {name for name in names if not name.startswith("tasker_bridge-")}
    assert packaged == sources


def test_it_installs_into_an_empty_environment_and_runs(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / "bin" / "python")
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "-q", "--no-index", "--no-deps", str(wheel))
    version, count = run(python, "-c", PROBE, cwd=str(tmp_path)).split()
    assert version == run(str(tmp_path / "venv/bin/tasker-python-worker"), "--version").strip()
    assert int(count) > 100
