"""Where the server is and how to prove who asks: built-in, then file, then environment."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

_log = logging.getLogger("tasker.client")

DEFAULT_URL = "http://localhost:8080"
DEFAULT_API_KEY_HEADER = "X-API-Key"


@dataclass(frozen=True)
class ClientSettings:
    """How to reach a server. A bearer token wins over an API key."""

    base_url: str = DEFAULT_URL
    timeout_ms: int = 30_000
    max_retries: int = 3
    auth_token: str | None = None
    api_key: str | None = None
    api_key_header: str = DEFAULT_API_KEY_HEADER

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"expected an http or https URL of the server, got {self.base_url!r}")
        if self.timeout_ms < 1 or self.max_retries < 0:
            raise ValueError(
                "expected timeout_ms of at least 1 and max_retries of at least 0, "
                f"got {self.timeout_ms} and {self.max_retries}"
            )

    def __repr__(self) -> str:
        # Secrets do not belong into logs.
        return f"ClientSettings(base_url={self.base_url!r}, timeout_ms={self.timeout_ms})"

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> ClientSettings:
        """From the client configuration file or profile, and the TASKER_* variables.

        Raises ValueError for a file or variable that cannot be read as written.
        """
        env = os.environ if environment is None else environment
        return _from_environment(_from_table(cls(), _file_table(env)), env)


def _from_table(settings: ClientSettings, table: Mapping[str, Any]) -> ClientSettings:
    known = ("base_url", "timeout_ms", "max_retries", "auth_token")
    given: dict[str, Any] = {name: table[name] for name in known if table.get(name) is not None}
    method = _table(_table(table.get("auth")).get("method"))
    value = method.get("value")
    if method.get("type") == "BearerToken":
        given["auth_token"] = value
    elif method.get("type") == "ApiKey":
        given["api_key"] = _table(value).get("key")
        given["api_key_header"] = _table(value).get("header_name") or DEFAULT_API_KEY_HEADER
    return replace(settings, **given)


def _from_environment(settings: ClientSettings, env: Mapping[str, str]) -> ClientSettings:
    given: dict[str, Any] = {}
    for name, variables in (
        ("base_url", ("TASKER_ORCHESTRATION_URL",)),
        ("auth_token", ("TASKER_ORCHESTRATION_AUTH_TOKEN", "TASKER_AUTH_TOKEN")),
        ("api_key", ("TASKER_API_KEY",)),
        ("api_key_header", ("TASKER_API_KEY_HEADER",)),
    ):
        value = next((env[each] for each in variables if env.get(each)), None)
        if value is not None:
            given[name] = value
    timeout = env.get("TASKER_ORCHESTRATION_TIMEOUT_MS")
    if timeout:
        if not timeout.isdigit():
            raise ValueError(f"TASKER_ORCHESTRATION_TIMEOUT_MS is {timeout!r}; expected a number")
        given["timeout_ms"] = int(timeout)
    return replace(settings, **given)


def _file_table(env: Mapping[str, str]) -> Mapping[str, Any]:
    """The `[orchestration]` table in force."""
    home = Path(env.get("HOME") or Path.home())
    user = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "tasker" / "client.toml"
    profile = env.get("TASKER_CLIENT_PROFILE")
    if not profile:
        files = (
            Path("tasker-client.toml"),
            Path("config/tasker-client.toml"),
            home / ".tasker" / "config.toml",
            user,
        )
        return _table(_read_first(files).get("orchestration"))
    files = (
        Path(".config/tasker.toml"),
        Path(".config/tasker-client.toml"),
        Path("tasker-client.toml"),
        user,
        home / ".tasker" / "client.toml",
    )
    profiles = _table(_read_first(files).get("profile"))
    if profile not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise ValueError(f"there is no client profile `{profile}` (known: {known})")
    base = _table(_table(profiles.get("default")).get("orchestration"))
    return {**base, **_table(_table(profiles[profile]).get("orchestration"))}


def _read_first(files: Iterable[Path]) -> Mapping[str, Any]:
    found = next((each for each in files if each.is_file()), None)
    if found is None:
        return {}
    # The standard library reads TOML from 3.11 on; before, the package tomli does.
    name = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    try:
        reader: Any = importlib.import_module(name)
    except ImportError:
        _log.warning("%s is not read: Python 3.10 needs the package tomli for it", found)
        return {}
    try:
        return _table(reader.loads(found.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{found}: {error}") from error


def _table(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
