"""Lets a template name another method of a handler than `call`."""

from __future__ import annotations

from typing import Any


class MethodDispatchWrapper:
    """A handler whose `call` is `target_method` of the wrapped one.

    Raises AttributeError when the method does not exist.
    """

    def __init__(self, handler: Any, target_method: str) -> None:
        if not callable(getattr(handler, target_method, None)):
            raise AttributeError(
                f"handler {type(handler).__name__} has no method `{target_method}`"
            )
        self.handler = handler
        self.target_method = target_method

    def call(self, context: Any) -> Any:
        return getattr(self.handler, self.target_method)(context)

    def unwrap(self) -> Any:
        return self.handler

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["handler"], name)

    def __repr__(self) -> str:
        return f"MethodDispatchWrapper({self.handler!r}, {self.target_method!r})"
