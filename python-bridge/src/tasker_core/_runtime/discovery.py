"""Imports handler files and registers what they define."""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path
from types import ModuleType

from tasker_core._runtime.event_discovery import register_events
from tasker_core.handler import HandlerRegistry

_log = logging.getLogger("tasker.discovery")


def load_handlers(path: Path, registry: HandlerRegistry) -> int:
    """Import a file, or a directory as a package named after its last component.

    Within a directory: ``__init__.py`` first, then every ``*.py`` whose name does not start with
    an underscore, then each sub-directory that has an ``__init__.py``. A module that fails to
    import is logged and skipped. Returns how many names were registered.
    """
    path = path.resolve()
    parent = str(path.parent if path.is_file() else path)
    if parent not in sys.path:
        sys.path.insert(0, parent)
    if path.is_file():
        modules = [_import(path.stem, path)]
    elif path.is_dir():
        modules = _import_package(path, path.name)
    else:
        raise FileNotFoundError(f"no handlers at {path}: expected a Python file or a directory")
    names: set[str] = set()
    for module in modules:
        if module is not None:
            names.update(registry.register_module(module))
            register_events(module)
    return len(names)


def _import_package(directory: Path, name: str) -> list[ModuleType | None]:
    found: list[ModuleType | None] = []
    init = directory / "__init__.py"
    if init.is_file():
        found.append(_import(name, init, directory))
    else:
        # Without the entry, relative imports and `import <name>.x` inside the files would fail.
        package = ModuleType(name)
        package.__path__ = [str(directory)]
        sys.modules[name] = package
        found.append(package)
    for file in sorted(directory.glob("*.py")):
        if not file.name.startswith("_"):
            found.append(_import(f"{name}.{file.stem}", file))
    for child in sorted(directory.iterdir()):
        if child.is_dir() and (child / "__init__.py").is_file():
            found.extend(_import_package(child, f"{name}.{child.name}"))
    return found


def _import(name: str, file: Path, package_dir: Path | None = None) -> ModuleType | None:
    locations = None if package_dir is None else [str(package_dir)]
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=locations)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    # Entered before it runs, so that relative imports between handler files work.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit):
        sys.modules.pop(name, None)
        _log.warning("handler module %s (%s) was skipped", name, file, exc_info=True)
        return None
    owner, _, leaf = name.rpartition(".")
    if owner in sys.modules:
        setattr(sys.modules[owner], leaf, module)
    return module
