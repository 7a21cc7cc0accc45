"""JSON text under the rules every side of the bridge shares (BRIDGE section 1).

UTF-8 without lone surrogates or U+0000, no NaN or Infinity in either direction, at most
``MAX_DEPTH`` nested containers. orjson is used when it can be imported. The two differ in one
place, outside the contract's range: orjson reads integers of more than 64 bits as floats.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import json.encoder
import math
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from typing import Any, cast

try:
    import orjson as _orjson_module
except ImportError:
    _orjson_module = None

_orjson: Any = _orjson_module

MAX_DEPTH = 64

_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonTextError(ValueError):
    """The bytes are not JSON text this wire accepts."""


class NotJsonError(ValueError):
    """A value cannot be written as JSON. ``path`` names the offending place, ``$`` is the root."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.path = path
        self.reason = reason


def loads(data: bytes) -> Any:
    """Parse one JSON value. Raises JsonTextError for anything outside the rules."""
    # One byte is sought with memchr, twenty times faster than two: most texts have neither.
    if b"\\" in data and b"\\u" in data:
        _refuse_forbidden_escapes(data)
    value = _parse(data)
    # Counting brackets is one pass in C; only suspicious texts pay for the walk.
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and depth_of(value) > MAX_DEPTH:
        raise JsonTextError(f"nested deeper than {MAX_DEPTH} levels")
    return value


def dumps(value: Any) -> bytes:
    """Write one JSON value. Raises NotJsonError with the path of the first bad part."""
    try:
        data = _write(value)
    except (TypeError, ValueError, RecursionError, UnicodeEncodeError) as error:
        raise find_problem(value) or NotJsonError("$", f"cannot be written: {error}") from error
    suspicious = (
        (b"\\" in data and b"\\u0000" in data)
        or data.count(b"{") + data.count(b"[") > MAX_DEPTH
        # orjson writes NaN and Infinity as null instead of refusing them.
        or (_orjson is not None and b"null" in data)
    )
    if suspicious:
        problem = find_problem(value)
        if problem is not None:
            raise problem
    return data


def depth_of(value: Any) -> int:
    """How many containers are nested; 0 for a scalar."""
    depth = 0
    level: list[Any] = [value]
    while True:
        level = [part for part in level if type(part) is dict or type(part) is list]
        if not level:
            return depth
        depth += 1
        level = [part for container in level for part in _children(container)]


def find_problem(value: Any) -> NotJsonError | None:
    """The first part of `value` that the wire refuses, or None."""
    stack: list[tuple[str, Any, int]] = [("$", value, 1)]
    while stack:
        path, part, depth = stack.pop()
        reason = _scalar_problem(part)
        if reason is not None:
            return NotJsonError(path, reason)
        if part is None or isinstance(part, (str, int, float)):
            continue
        if isinstance(part, (dict, list, tuple)):
            if depth > MAX_DEPTH:
                return NotJsonError(path, f"is nested deeper than {MAX_DEPTH} levels")
            entries = list(_entries(path, cast(Any, part)))
            for entry_path, key in ((p, k) for p, k, _ in entries if not isinstance(k, int)):
                problem = _key_problem(key)
                if problem is not None:
                    return NotJsonError(entry_path, problem)
            stack.extend((p, v, depth + 1) for p, _, v in reversed(entries))
            continue
        try:
            stack.append((path, to_plain(part), depth + 1))
        except TypeError as error:
            return NotJsonError(path, str(error))
        if depth > MAX_DEPTH:
            return NotJsonError(path, f"is nested deeper than {MAX_DEPTH} levels")
    return None


def to_plain(value: Any) -> Any:
    """The JSON form of a value JSON does not know: dates, UUIDs, models, dataclasses, sets."""
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (uuid.UUID, decimal.Decimal)):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, (set, frozenset)):
        return list(cast("Iterable[Any]", value))
    raise TypeError(f"is a {type(value).__qualname__}, which has no JSON form")


def _children(container: Any) -> Iterable[Any]:
    if type(container) is dict:
        return cast("dict[str, Any]", container).values()
    return container


def _entries(path: str, container: Any) -> Iterable[tuple[str, Any, Any]]:
    if isinstance(container, dict):
        items = cast("dict[Any, Any]", container).items()
        return ((f"{path}.{key}", key, part) for key, part in items)
    return ((f"{path}[{index}]", index, part) for index, part in enumerate(container))


def _scalar_problem(part: Any) -> str | None:
    if isinstance(part, float) and not math.isfinite(part):
        return f"is {part!r}, which JSON cannot hold"
    return _text_problem(part) if isinstance(part, str) else None


def _key_problem(key: Any) -> str | None:
    if isinstance(key, str):
        return _text_problem(key)
    if key is None or isinstance(key, (int, float)):
        return _scalar_problem(key)
    return f"has a key of type {type(key).__qualname__}; JSON keys are text"


def _text_problem(text: str) -> str | None:
    if "\0" in text:
        return "contains U+0000"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "contains a lone surrogate"
    return None


def _refuse_forbidden_escapes(data: bytes) -> None:
    if b"\\u0000" in data and _NUL_ESCAPE.search(data):
        raise JsonTextError("contains U+0000")
    if _SURROGATE_ESCAPE.search(data):
        try:
            # Writing it back without escapes fails exactly when a surrogate has no partner.
            json.dumps(_parse_standard(data), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise JsonTextError("contains a lone surrogate") from None


def _refuse_constant(name: str) -> Any:
    raise JsonTextError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JsonTextError(f"number {text[:40]} is too large for a double")
    return value


_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _parse_standard(data: bytes) -> Any:
    try:
        return _decoder.decode(str(data, "utf-8"))
    except JsonTextError:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonTextError(f"not JSON: {error}"[:300]) from None


def _parse_orjson(data: bytes) -> Any:
    try:
        return _orjson.loads(data)
    except ValueError as error:
        raise JsonTextError(f"not JSON: {error}"[:300]) from None


def _standard_writer() -> Callable[[Any], bytes]:
    make = cast(Any, getattr(json.encoder, "c_make_encoder", None))
    escape = cast(Any, getattr(json.encoder, "encode_basestring", None))
    if make is None or escape is None:
        encoder = json.JSONEncoder(
            ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=to_plain
        )
        return lambda value: encoder.encode(value).encode()
    # json.dumps builds this object on every call, which costs more than writing a small value.
    encode = make(None, to_plain, escape, None, ":", ",", False, False, False)
    return lambda value: "".join(encode(value, 0)).encode()


_write_standard = _standard_writer()


def _write_orjson(value: Any) -> bytes:
    options = (
        _orjson.OPT_PASSTHROUGH_DATETIME
        | _orjson.OPT_PASSTHROUGH_DATACLASS
        | _orjson.OPT_PASSTHROUGH_SUBCLASS
    )
    try:
        return _orjson.dumps(value, default=to_plain, option=options)
    except TypeError:
        # Non-text keys, integers past 64 bits, subclasses of str and dict: rarer, and its to say.
        return _write_standard(value)


_parse = _parse_standard if _orjson is None else _parse_orjson
_write = _write_standard if _orjson is None else _write_orjson
