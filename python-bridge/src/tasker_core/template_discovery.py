"""Which handlers the YAML task templates of this workspace name."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from tasker_core import _yaml

_log = logging.getLogger("tasker.templates")

WORKSPACE_MARKERS = (
    "Cargo.toml",
    "pyproject.toml",
    ".git",
    "Gemfile",
    "package.json",
    "tasker-core.code-workspace",
)
_MAX_ANCESTORS = 10


class TemplatePath:
    """Where the templates are."""

    @staticmethod
    def find_template_config_directory() -> Path | None:
        """TASKER_TEMPLATE_PATH, ``config/tasks`` of WORKSPACE_PATH, of the workspace this working
        directory is in, or of the working directory itself: the first that is a directory.
        """
        return next((each for each in _candidates() if each.is_dir()), None)

    @staticmethod
    def discover_template_files(directory: Path | str | None = None) -> list[Path]:
        """Every ``.yaml`` and ``.yml`` below the directory, sorted."""
        root = _directory(directory)
        if root is None or not root.is_dir():
            return []
        return sorted(each for kind in ("*.yaml", "*.yml") for each in root.rglob(kind))


class TemplateParser:
    """Reads one template. A file that cannot be read is logged and counts as empty."""

    @staticmethod
    def extract_handler_callables(path: Path | str) -> list[str]:
        """The callables of its steps, in order, each once."""
        return TemplateParser.extract_handlers_from_template(_read(path))

    @staticmethod
    def extract_handlers_from_template(template: Mapping[str, Any]) -> list[str]:
        found: dict[str, None] = {}
        steps = template.get("steps")
        for step in cast("list[Any]", steps) if isinstance(steps, list) else []:
            handler = _mapping(step).get("handler")
            name = _mapping(handler).get("callable")
            if isinstance(name, str) and name:
                found[name] = None
        return list(found)

    @staticmethod
    def extract_template_metadata(path: Path | str) -> dict[str, Any]:
        """``{name, namespace, version, description, file_path, handlers}``, or ``{}``."""
        template = _read(path)
        if not template:
            return {}
        return {
            "name": template.get("name"),
            "namespace": template.get("namespace_name") or "default",
            "version": str(template.get("version") or "1.0.0"),
            "description": template.get("description"),
            "file_path": str(path),
            "handlers": TemplateParser.extract_handlers_from_template(template),
        }


class HandlerDiscovery:
    """All templates of a directory; without one, of the directory `TemplatePath` finds."""

    @staticmethod
    def discover_all_handlers(directory: Path | str | None = None) -> list[str]:
        """Every callable, sorted, each once."""
        files = TemplatePath.discover_template_files(directory)
        return sorted({name for f in files for name in TemplateParser.extract_handler_callables(f)})

    @staticmethod
    def discover_template_metadata(directory: Path | str | None = None) -> list[dict[str, Any]]:
        files = TemplatePath.discover_template_files(directory)
        found = (TemplateParser.extract_template_metadata(each) for each in files)
        return [each for each in found if each]

    @staticmethod
    def discover_handlers_by_namespace(
        directory: Path | str | None = None,
    ) -> dict[str, list[str]]:
        """Namespace to its callables, sorted, each once."""
        found: dict[str, set[str]] = {}
        for each in HandlerDiscovery.discover_template_metadata(directory):
            found.setdefault(each["namespace"], set()).update(each["handlers"])
        return {namespace: sorted(names) for namespace, names in sorted(found.items())}


def _candidates() -> Iterable[Path]:
    for variable, suffix in (("TASKER_TEMPLATE_PATH", ""), ("WORKSPACE_PATH", "config/tasks")):
        value = os.environ.get(variable)
        if value:
            yield Path(value) / suffix
    here = Path.cwd()
    for folder in [here, *here.parents][:_MAX_ANCESTORS]:
        if any((folder / marker).exists() for marker in WORKSPACE_MARKERS):
            yield folder / "config" / "tasks"
            break
    yield here / "config" / "tasks"


def _directory(given: Path | str | None) -> Path | None:
    return TemplatePath.find_template_config_directory() if given is None else Path(given)


def _read(path: Path | str) -> Mapping[str, Any]:
    try:
        return _mapping(_yaml.load(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        _log.warning("template %s was skipped: %s", path, error)
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


__all__ = ["WORKSPACE_MARKERS", "HandlerDiscovery", "TemplateParser", "TemplatePath"]
