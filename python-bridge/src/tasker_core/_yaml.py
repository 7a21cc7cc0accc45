"""Reads the YAML of task templates: with PyYAML when it is installed, else by itself.

The reader here knows what templates use: block and flow collections, quoted and plain scalars,
``|`` and ``>`` texts, comments. Anchors, aliases, tags and complex keys are refused by name.
"""

from __future__ import annotations

import json
import re
from typing import Any

try:
    import yaml as _yaml_module
except ImportError:
    _yaml_module = None

_pyyaml: Any = _yaml_module

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_KEY = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#"'\[\]{},&*!|>%@`-][^#]*?|-[^\s#:]+)\s*:(?=\s|$)"""
)
_BLOCK_TEXT = re.compile(r"([|>])([-+]?)$")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class YamlError(ValueError):
    """The text is not YAML, or uses what this reader does not know."""


def load(text: str) -> Any:
    """The first document of the text as plain data. Raises YamlError naming the line."""
    if _pyyaml is not None:
        try:
            return next(iter(_pyyaml.safe_load_all(text)), None)
        except _pyyaml.YAMLError as error:
            raise YamlError(str(error)) from error
    return read(text)


def read(text: str) -> Any:
    """`load` without PyYAML."""
    reader = _Reader(text)
    if reader.at_end:
        return None
    value = reader.node(0)
    if not reader.at_end:
        raise reader.error("unexpected indentation")
    return value


class _Reader:
    """A cursor over the lines that are neither empty nor comments."""

    def __init__(self, text: str) -> None:
        self._raw = text.removesuffix("\n").split("\n")
        self._at = -1
        self.line: str | None = None
        self.indent = 0
        self._advance()

    @property
    def at_end(self) -> bool:
        return self.line is None

    def error(self, why: str) -> YamlError:
        return YamlError(f"line {self._at + 1}: {why}")

    def node(self, least: int) -> Any:
        """The value that starts at the current line, indented at least this much."""
        if self.line is None or self.indent < least:
            return None
        if _is_item(self.line):
            return self._sequence(self.indent)
        if _KEY.match(self.line):
            return self._mapping(self.indent)
        line, owner = self.line, self.indent - 1
        self._advance()
        return self._value(line, owner)

    def _mapping(self, indent: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while self.line is not None and self.indent == indent and not _is_item(self.line):
            match = _KEY.match(self.line)
            if match is None:
                raise self.error(f"expected `key: value`, got {self.line!r}")
            key = self._scalar(match[1])
            rest = self.line[match.end() :].strip()
            self._advance()
            if rest:
                found[key] = self._value(rest, indent)
            elif not self.at_end and self.indent == indent and _is_item(self.line or ""):
                # A list may stand as far left as the key it belongs to.
                found[key] = self._sequence(indent)
            else:
                found[key] = self.node(indent + 1)
        if not self.at_end and self.indent > indent:
            raise self.error("unexpected indentation")
        return found

    def _sequence(self, indent: int) -> list[Any]:
        found: list[Any] = []
        while self.line is not None and self.indent == indent and _is_item(self.line):
            rest = self.line[1:].lstrip()
            if not rest:
                self._advance()
                found.append(self.node(indent + 1))
                continue
            # The item's own lines are indented as far as its first word.
            self.indent += len(self.line) - len(rest)
            self.line = rest
            if _KEY.match(rest) or _is_item(rest):
                found.append(self.node(indent + 1))
            else:
                self._advance()
                found.append(self._value(rest, indent))
        if not self.at_end and self.indent > indent:
            raise self.error("unexpected indentation")
        return found

    def _value(self, text: str, indent: int) -> Any:
        """A value that began behind a key or dash; it may go on, indented deeper."""
        block = _BLOCK_TEXT.match(text)
        if block is not None:
            return self._text(block[1], block[2], indent)
        if text[0] in "[{":
            while not _is_closed(text):
                if self.line is None:
                    raise self.error("a flow collection is not closed")
                text += " " + self.line
                self._advance()
            return self._flow(text)
        while self.line is not None and self.indent > indent and not _ends_quoted(text):
            if _KEY.match(self.line):
                raise self.error("a key cannot stand inside a text")
            text += " " + self.line
            self._advance()
        return self._scalar(text)

    def _text(self, style: str, chomp: str, indent: int) -> str:
        """A block text; the cursor stands on the line behind its header."""
        start = self._header_at + 1
        end, depth = start, None
        lines: list[str] = []
        while end < len(self._raw):
            line = self._raw[end]
            deep = len(line) - len(line.lstrip(" "))
            if line.strip():
                if deep <= indent or (depth is not None and deep < depth):
                    break
                depth = deep if depth is None else depth
            lines.append(line[depth or deep :].rstrip("\r"))
            end += 1
        self._at = end - 1
        self._advance()
        trailing = 0
        while lines and not lines[-1].strip():
            lines.pop()
            trailing += 1
        body = "\n".join(lines) if style == "|" else _folded(lines)
        if chomp == "-" or not lines:
            return body
        return body + ("\n" * (trailing + 1) if chomp == "+" else "\n")

    def _flow(self, text: str) -> Any:
        value, end = self._flow_node(text, 0)
        if text[end:].strip():
            raise self.error(f"unexpected {text[end:].strip()!r}")
        return value

    def _flow_node(self, text: str, at: int) -> tuple[Any, int]:
        at = _skip(text, at)
        opening = text[at : at + 1]
        if opening == "[":
            items: list[Any] = []
            at = _skip(text, at + 1)
            while text[at] != "]":
                item, at = self._flow_node(text, at)
                items.append(item)
                at = self._comma(text, at, "]")
            return items, at + 1
        if opening == "{":
            members: dict[Any, Any] = {}
            at = _skip(text, at + 1)
            while text[at] != "}":
                key, at = self._flow_word(text, at, ":,}")
                at = _skip(text, at)
                members[key] = None
                if text[at] == ":":
                    members[key], at = self._flow_node(text, at + 1)
                at = self._comma(text, at, "}")
            return members, at + 1
        return self._flow_word(text, at, ",]}")

    def _comma(self, text: str, at: int, closing: str) -> int:
        at = _skip(text, at)
        if text[at] == ",":
            return _skip(text, at + 1)
        if text[at] != closing:
            raise self.error(f"expected `,` or `{closing}` at {text[at:]!r}")
        return at

    def _flow_word(self, text: str, at: int, stops: str) -> tuple[Any, int]:
        end = at
        if text[at] in "\"'":
            end = _quoted_end(text, at)
        else:
            while text[end] not in stops:
                end += 1
        return self._scalar(text[at:end].strip()), end

    def _scalar(self, text: str) -> Any:
        if text[:1] == '"':
            try:
                return json.loads(text)
            except ValueError as error:
                raise self.error(f"cannot read {text}: {error}") from error
        if text[:1] == "'":
            return text[1:-1].replace("''", "'")
        if text[:1] in ("&", "*", "!", "?", "%", "@", "`"):
            raise self.error(f"{text!r}: anchors, aliases, tags and complex keys are not supported")
        if text in _WORDS:
            return _WORDS[text]
        if _INT.match(text):
            return int(text)
        if _FLOAT.match(text):
            return float(text)
        return text

    def _advance(self) -> None:
        self._header_at = self._at
        while True:
            self._at += 1
            if self._at >= len(self._raw):
                self.line = None
                return
            raw = self._raw[self._at]
            if raw.startswith("---") and not raw[3:].strip():
                if self._header_at >= 0:
                    self._at, self.line = len(self._raw), None
                    return
                continue
            line = _without_comment(raw)
            if line:
                self.indent = len(raw) - len(raw.lstrip(" "))
                if "\t" in raw[: self.indent + 1]:
                    raise self.error("a tab cannot indent")
                self.line = line
                return


def _is_item(line: str) -> bool:
    return line == "-" or line.startswith("- ")


def _without_comment(raw: str) -> str:
    quote = ""
    for at, char in enumerate(raw):
        if quote:
            if char == quote and not (quote == '"' and raw[at - 1] == "\\"):
                quote = ""
        elif char in "\"'" and (at == 0 or raw[at - 1] in " [{,:"):
            quote = char
        elif char == "#" and (at == 0 or raw[at - 1] in " \t"):
            return raw[:at].strip()
    return raw.strip()


def _is_closed(text: str) -> bool:
    depth = at = 0
    while at < len(text):
        if text[at] in "\"'" and text[at - 1] in " [{,:":
            at = _quoted_end(text, at)
            continue
        depth += (text[at] in "[{") - (text[at] in "]}")
        at += 1
    return depth <= 0


def _quoted_end(text: str, at: int) -> int:
    """The index behind the quoted word that starts here."""
    quote, end = text[at], at + 1
    while end < len(text):
        if quote == '"' and text[end] == "\\":
            end += 2
        elif text[end] == quote:
            if quote == "'" and text[end + 1 : end + 2] == "'":
                end += 2
            else:
                return end + 1
        else:
            end += 1
    return len(text)


def _ends_quoted(text: str) -> bool:
    return (
        text[0] in "\"'"
        and len(text) > 1
        and _quoted_end(text, 0) == len(text)
        and (text[-1] == text[0])
    )


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at


def _folded(lines: list[str]) -> str:
    out = ""
    for at, line in enumerate(lines):
        if at == 0:
            out = line
        elif not line:
            out += "\n"
        elif out.endswith("\n") or line.startswith(" ") or lines[at - 1].startswith(" "):
            out += line if out.endswith("\n") else "\n" + line
        else:
            out += " " + line
    return out
