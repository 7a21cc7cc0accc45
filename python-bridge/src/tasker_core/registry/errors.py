"""Errors of handler resolution."""

from __future__ import annotations


class ResolutionError(Exception):
    """A handler could not be resolved."""


class ResolverNotFoundError(ResolutionError):
    """A template names a resolver that does not exist."""
