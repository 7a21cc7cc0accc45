"""Compares the names of the contract with what this package defines and what its tests use.

    python tests/contract_coverage.py    prints the table; exit code 1 when a name is missing

The names are in test/conformance/contract/python.json. A member is written ``name``,
``name=default`` (a class attribute, field or enum value), ``name(parameters)``, or ``(parameters)``
for the row itself. Parameters as in Python, without ``self``; more than those listed are fine as
long as they have defaults.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROWS = HERE.parents[1] / "test" / "conformance" / "contract" / "python.json"
MEMBER = re.compile(r"^(\w*)(\((.*)\)|=(.*))?$", re.DOTALL)
MISSING = object()


@dataclass
class Line:
    """One row of the table; without `problems` all of it exists and is used by a test."""

    section: str
    name: str
    members: int
    problems: list[str]
    reason: str | None


def lines() -> list[Line]:
    words = _words_of_tests()
    rows = json.loads(ROWS.read_text(encoding="utf-8"))["rows"]
    return [_line(row, words) for row in rows]


def table(found: list[Line]) -> str:
    width = max(len(each.name) for each in found)
    out: list[str] = []
    for each in found:
        note = f"left out: {each.reason}" if each.reason else "; ".join(each.problems)
        out.append(f"{each.name:<{width}}  {each.members:>4}  {note or 'ok'}")
    total = sum(each.members + 1 for each in found)
    excused = sum(each.members + 1 for each in found if each.reason)
    problems = sum(len(each.problems) for each in found if not each.reason)
    out.append(
        f"{len(found)} rows, {total} names: {total - excused - problems} present and used by a "
        f"test, {excused} left out with a reason, {problems} problems"
    )
    return "\n".join(out)


def _line(row: dict[str, Any], words: set[str]) -> Line:
    name, members = row["name"], row["members"]
    problems: list[str] = []
    target: Any = None
    try:
        target = _find(name)
    except (ImportError, AttributeError) as error:
        problems.append(f"missing: {error}")
    else:
        for member in members:
            problem = _problem(target, member)
            if problem is not None:
                problems.append(problem)
    # Importing a module is its use; special methods are used by syntax.
    own = "" if inspect.ismodule(target) else name.rpartition(".")[2]
    for word in [own, *(_bare(each) for each in members)]:
        if word and not word.startswith("__") and word not in words:
            problems.append(f"no test uses `{word}`")
    return Line(row["section"], name, len(members), problems, row["reason"])


def _find(name: str) -> Any:
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise ImportError(f"there is no {name}")


def _problem(target: Any, member: str) -> str | None:
    match = MEMBER.match(member)
    assert match is not None, member
    name, _, parameters, default = match.groups()
    found = target if not name else _member(target, name)
    if found is MISSING:
        return f"`{name}` is missing"
    if parameters is not None:
        return _signature_problem(found, name, parameters)
    if default is not None and found is not None:
        actual = found.value if isinstance(found, enum.Enum) else found
        if actual != eval(default):  # the data file is ours
            return f"`{name}` is {actual!r}, not {default}"
    return None


def _member(target: Any, name: str) -> Any:
    """The value of a member, its default, or None when it exists without one."""
    found = inspect.getattr_static(target, name, MISSING)
    if not inspect.isclass(target):
        return MISSING if found is MISSING else getattr(target, name)
    if dataclasses.is_dataclass(target):
        for field in dataclasses.fields(target):
            if field.name == name:
                if field.default_factory is not dataclasses.MISSING:
                    return field.default_factory()
                return None if field.default is dataclasses.MISSING else field.default
    if found is not MISSING and not inspect.isdatadescriptor(found):
        return getattr(target, name)
    parameter = None if issubclass(target, enum.Enum) else _parameters(target).get(name)
    if parameter is not None:
        return None if parameter.default is parameter.empty else parameter.default
    assigned = any(f"self.{name}" in text for text in _sources(target))
    return None if found is not MISSING or assigned else MISSING


def _parameters(target: type[Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):
        return {}


def _sources(target: type[Any]) -> Iterator[str]:
    for base in target.__mro__:
        if base.__module__.startswith("tasker_core"):
            yield inspect.getsource(base)


def _signature_problem(found: Any, name: str, wanted: str) -> str | None:
    if not callable(found):
        return f"`{name}` cannot be called"
    actual = [each for each in inspect.signature(found).parameters.values() if each.name != "self"]
    expected = inspect.signature(_make(wanted)).parameters.values()
    if inspect.isclass(found) and issubclass(found, BaseException):
        # Without a message the docstring is the message.
        actual = [
            each.replace(default=each.empty) if each.name == "message" else each for each in actual
        ]
    by_name = {each.name: each for each in actual}
    anything = {each.kind: each for each in actual if each.kind in _VARIADIC}
    for each in expected:
        same = anything.get(each.kind) if each.kind in _VARIADIC else by_name.get(each.name)
        if same is None:
            return f"`{name}({wanted})` has no parameter `{each.name}`: {inspect.signature(found)}"
        if each.kind not in _VARIADIC and same.default != each.default:
            return f"`{name}`: `{each.name}` defaults to {same.default!r}, not {each.default!r}"
    listed = {each.name for each in expected}
    for each in actual:
        if each.name not in listed and each.default is each.empty and each.kind not in _VARIADIC:
            return f"`{name}` also needs `{each.name}`"
    return None


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _make(parameters: str) -> Any:
    scope: dict[str, Any] = {}
    exec(
        f"from tasker_core import ErrorType\ndef made({parameters}): ...",
        scope,
    )  # the data file is ours
    return scope["made"]


def _bare(member: str) -> str:
    match = MEMBER.match(member)
    assert match is not None
    return match[1]


def _words_of_tests() -> set[str]:
    texts = [
        each.read_text(encoding="utf-8")
        for folder in (HERE, HERE.parent / "examples")
        for each in folder.rglob("*.py")
        if each != Path(__file__).resolve()
    ]
    return set(re.findall(r"\w+", "\n".join(texts)))


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent / "src"))
    result = lines()
    print(table(result))
    sys.exit(any(each.problems and not each.reason for each in result))
