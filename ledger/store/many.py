"""Many values in one statement, whose text stays the same however many they are.

SQLite reads them from a JSON array, `IN (SELECT value FROM json_each(:values))`; PostgreSQL takes an array,
`unnest(:values)`. A statement with one variable for each value would be another one for each number of them, to be made
and prepared anew, and SQLite bounds the variables of one.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection


def listed(connection: Connection, values: Sequence[str] | Sequence[int]) -> object:
    """`values` as the one parameter that such a statement takes on this database."""
    return orjson.dumps(values).decode("utf-8") if connection.dialect.name == "sqlite" else list(values)
