"""The address of a lake: `ducklake:postgresql://user@host:5432/database?data=FOLDER&local=FILE`, as in CALLGRADE_WAREHOUSE.

The catalogue is a PostgreSQL database, the rows are Parquet in a shared folder or a bucket, and `local` names the warehouse on this
machine: its folder with stage, clips, pages and published copy is beside that name, as it is beside a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from pipelines.core.errors import MisconfiguredError

PREFIX = "ducklake:"
SHAPE = "ducklake:postgresql://user@host:5432/database?data=/shared/folder&local=/var/lib/callgrade/callgrade.duckdb"
_BUCKETS = ("s3://", "gs://", "r2://")
_DEFAULT_LOCAL = "callgrade.duckdb"


@dataclass(frozen=True, slots=True)
class LakeAddress:
    """A lake's catalogue and the folder or bucket of its rows. Its repr omits the password."""

    catalogue: str = field(repr=False)  # in libpq's format: host='db' dbname='callgrade'
    data: str
    text: str = field(repr=False)  # as it was given

    @property
    def is_in_bucket(self) -> bool:
        """Whether the rows are in object storage."""
        return self.data.startswith(_BUCKETS)

    def __str__(self) -> str:
        parts = urlsplit(self.text.removeprefix(PREFIX))
        host = parts.hostname or "localhost"
        return f"{PREFIX}postgresql://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def parse(text: str) -> tuple[LakeAddress, Path]:
    """The address, and the name of the warehouse on this machine.

    Raises MisconfiguredError with the invalid part and the expected format; a password is never shown.
    """
    try:
        parts = urlsplit(text.removeprefix(PREFIX))
        port = parts.port
    except ValueError as error:
        raise _wrong(f"it is not a valid address ({error})") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise _wrong(f"the catalogue is {parts.scheme or 'not named'!r}; several writers need PostgreSQL")
    database = unquote(parts.path.strip("/"))
    if not database or "/" in database:
        raise _wrong("the database name is missing after the host" if not database else f"{database!r} is not a database name")
    asked = parse_qsl(parts.query, keep_blank_values=True)
    said = dict(asked)
    unknown = sorted(set(said) - {"data", "local"})
    if unknown or len(asked) != len(said):
        raise _wrong(f"{unknown[0]!r} is not known; allowed are data and local" if unknown else "a parameter is given twice")
    data = said.get("data", "")
    if not data.startswith((*_BUCKETS, "/")):
        raise _wrong(f"data is {data!r}; it must be a folder that all machines share (from /) or a bucket ({', '.join(_BUCKETS)})")
    given = {"host": parts.hostname, "port": str(port) if port else None, "user": parts.username, "password": parts.password}
    words = {name: unquote(value) for name, value in given.items() if value} | {"dbname": database}
    catalogue = " ".join(f"{name}={_quoted(value)}" for name, value in words.items())
    return LakeAddress(catalogue, data.rstrip("/") + "/", text), Path(said.get("local") or _DEFAULT_LOCAL)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _wrong(what: str) -> MisconfiguredError:
    return MisconfiguredError(f"CALLGRADE_WAREHOUSE: {what}. It should look like {SHAPE}")
