"""What the value types share: validation from a mapping and dumping to one, without pydantic."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, ClassVar, TypeVar, cast

M = TypeVar("M", bound="Model")


class Model:
    """Base of the dataclasses in this package.

    `coerce` maps a field to a function that turns plain data into the field's type; it is
    applied by `model_validate` only. Unknown keys are ignored.
    """

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}

    @classmethod
    def model_validate(cls: type[M], data: Any) -> M:
        """Build from a mapping. Raises ValueError naming what is missing or of the wrong kind."""
        if isinstance(data, cls):
            return data
        if not isinstance(data, Mapping):
            raise ValueError(f"{cls.__name__}: expected an object, got {type(data).__name__}")
        given = cast("Mapping[str, Any]", data)
        values: dict[str, Any] = {}
        for field in _fields(cls):
            if field.name in given:
                values[field.name] = _coerced(cls, field.name, given[field.name])
            elif field.default is MISSING and field.default_factory is MISSING:
                raise ValueError(f"{cls.__name__}: missing `{field.name}`")
        return cls(**values)

    def model_dump(self, mode: str = "python", *, exclude_none: bool = False) -> dict[str, Any]:
        """The fields as a dict; with mode "json" only of types JSON has."""
        plain = {f.name: dump_value(getattr(self, f.name), mode) for f in _fields(type(self))}
        return {k: v for k, v in plain.items() if v is not None} if exclude_none else plain


def dump_value(value: Any, mode: str) -> Any:
    """One value as `model_dump` shows it."""
    if isinstance(value, Model):
        return value.model_dump(mode)
    if isinstance(value, dict):
        return {key: dump_value(part, mode) for key, part in cast("dict[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [dump_value(part, mode) for part in cast("list[Any]", value)]
    if mode == "json":
        if isinstance(value, uuid.UUID):
            return str(value)
        if isinstance(value, enum.Enum):
            return value.value
    return value


def whole_number(value: Any) -> int:
    """An integer, as a coercion. Raises ValueError for anything else, booleans included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or int(value) != value:
        raise ValueError(f"expected an integer, got {value!r}")
    return int(value)


def many(model: type[M]) -> Callable[[Any], list[M]]:
    """A coercion for a list of models."""
    return lambda value: [model.model_validate(part) for part in value]


def optional(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A coercion that lets None through."""
    return lambda value: None if value is None else convert(value)


def _fields(cls: type[Model]) -> tuple[Field[Any], ...]:
    return fields(cast(Any, cls))


def _coerced(cls: type[Model], name: str, value: Any) -> Any:
    convert = cls.coerce.get(name)
    if convert is None:
        return value
    try:
        return convert(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{cls.__name__}: `{name}`: {error}") from error
