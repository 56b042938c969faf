"""The small types that entry bodies are made of, and how a body is read from JSON data.

A body is a frozen pydantic type; unknown fields are refused. Numbers are exact decimals from text (`ledger.quantity`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from ledger.errors import InputError, Problem, shown


class Part(BaseModel):
    """A frozen piece of a body; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):  # to Python, True is 1; to whoever else reads the log, it is not
        raise ValueError("1")
    return value


class Body(Part):
    """The body of an entry. `schema` is its version; a body is never migrated, a new version is a new class."""

    schema_version: Annotated[Literal[1], BeforeValidator(_no_bool)] = Field(default=1, alias="schema")

    def to_value(self) -> dict[str, Any]:
        """The body as JSON data: absent fields left out, decimals as text, dates as YYYY-MM-DD."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class FieldError(ValueError):
    """What is wrong with one field of a part, found by looking at several.

    field: its name. value: what it is, None if it is not there. expected: what would have been accepted.
    """

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(expected)
        self.field = field
        self.value = value


def _visible(text: str) -> str:
    # Cc control, Cf format (zero-width, direction), Zl and Zp line breaks: what a reader cannot see, or is misled by.
    if any(unicodedata.category(character) in {"Cc", "Cf", "Co", "Cn", "Zl", "Zp"} for character in text):
        raise ValueError("text without line breaks, control characters or invisible characters")
    return text


def _from_iso(value: Any) -> date:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError('a date as text, "YYYY-MM-DD"')
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError('a date that exists, as "YYYY-MM-DD"') from None


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""An identity: 1 to 64 letters, digits, dots, dashes, underscores."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), AfterValidator(_visible)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2 code."""

Day = Annotated[date, BeforeValidator(_from_iso)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

B = TypeVar("B", bound=Part)

_EXPECTED = {
    "missing": "this field",
    "extra_forbidden": "no such field here",
    "string_type": "text",
    "int_type": "a whole number",
    "string_too_short": "text that is not empty",
    "string_too_long": "a shorter text",
    "tuple_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
}


def parse_body(body_type: type[B], value: object, at: str = "") -> B:
    """The body that `value` (JSON data) spells.

    at: JSON pointer of value inside a larger document, put before each problem's field.
    Raises: InputError with one problem for every field that is wrong, not only the first.
    """
    try:
        return body_type.model_validate(value)
    except ValidationError as error:
        items = error.errors()
        raise InputError(*(_problem(body_type, item, at) for item in items if not _echoes(item, items))) from None


def _echoes(item: ErrorDetails, items: list[ErrorDetails]) -> bool:
    """Whether a list is called too short only because pydantic left out its bad items, which are named themselves."""
    place = item["loc"]
    return item["type"] == "too_short" and any(
        len(other["loc"]) > len(place) and other["loc"][: len(place)] == place for other in items
    )


def _problem(body_type: type[Part], item: ErrorDetails, at: str) -> Problem:
    kind = item["type"]
    pointer = at + "".join(f"/{part}" for part in item["loc"])
    context = item.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, FieldError):
        value = "nothing" if cause.value is None else shown(cause.value)
        return Problem(f"{pointer}/{cause.field}", value, str(cause), "Correct the fields and send it again.")
    if kind == "value_error":
        expected = str(cause)
    elif kind == "too_short":
        expected = f"a list of {context['min_length']} or more"
    elif kind == "string_pattern_mismatch":
        expected = f"text of the form {context['pattern']}"
    elif kind == "literal_error":
        expected = f"one of {context['expected']}"
    else:
        expected = _EXPECTED.get(kind, item["msg"])
    if kind == "missing":
        return Problem(pointer, "nothing", expected, f"Add {item['loc'][-1]!s}.")
    if kind == "extra_forbidden":
        hint = f" Fields of the whole entry: {', '.join(_field_names(body_type))}." if len(item["loc"]) == 1 else ""
        return Problem(pointer, shown(item["input"]), expected, f"Remove it or check its spelling.{hint}")
    return Problem(pointer, shown(item["input"]), expected, "Correct the value and send it again.")


def _field_names(body_type: type[Part]) -> list[str]:
    fields: Mapping[str, Any] = body_type.model_fields
    return [field.alias or name for name, field in fields.items()]
