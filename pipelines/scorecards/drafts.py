"""The draft of a centre's profile: one for each centre, kept in the application database until it is activated or discarded."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from pipelines.app_db.database import AppDatabase, Row, present
from pipelines.centres.profile import Centre, load_centre, parse_centre
from pipelines.core import profile_history
from pipelines.core.errors import MisconfiguredError
from pipelines.core.profile_files import profile_file
from pipelines.scorecards.errors import ConflictError, ScorecardError


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft: the YAML text of a profile, the version that it was begun from, and its last change (seconds since 1970)."""

    centre_id: str
    text: str
    based_on_version: str
    edited_by: str
    edited_at: float


def load_draft(db: AppDatabase, centre_id: str) -> Draft | None:
    """The draft of a centre, if there is one."""
    rows = db.rows("select * from scorecard_drafts where centre_id = ?", centre_id)
    return _draft(rows[0]) if rows else None


def save_draft(
    db: AppDatabase, centre_id: str, text: str, by: str, *, based_on_version: str | None = None, seen_at: float | None = None
) -> Draft:
    """Save the draft of a centre, replacing the one before.

    Args:
        db: the application database.
        centre_id: the centre.
        text: the YAML of the whole profile.
        by: the name of the account.
        based_on_version: the version that it was begun from; None for that of the existing draft, or else the newest one. Giving the
            newest version says that the draft was compared with it.
        seen_at: `edited_at` of the draft that was changed; None to replace any.

    Raises MisconfiguredError with line, value and the nearest allowed value when the text is not a valid profile; ConflictError when the
    draft is not the one of `seen_at`, or the newest version is no longer `based_on_version`.
    """
    profile_of(centre_id, text)
    version, sha256 = current_version(centre_id)
    with db.writing() as connection:
        before = connection.execute("select * from scorecard_drafts where centre_id = ?", [centre_id]).fetchone()
        if seen_at is not None and (before is None or before["edited_at"] != seen_at):
            if before is None:
                raise ConflictError("sc_err_draft_gone", centre=centre_id)
            raise ConflictError("sc_err_draft_changed", name=before["edited_by"], centre=centre_id)
        if based_on_version is not None and based_on_version != version:
            raise _moved_on(centre_id, based_on_version, version)
        if based_on_version is None and before is not None:
            version, sha256 = before["based_on_version"], before["based_on_sha256"]
        at = present() if before is None else max(present(), before["edited_at"] + 1e-3)
        connection.execute("insert or replace into scorecard_drafts values (?, ?, ?, ?, ?, ?)", [centre_id, text, version, sha256, by, at])
    return Draft(centre_id, text, version, by, at)


def discard_draft(db: AppDatabase, centre_id: str, by: str) -> None:
    """Remove the draft of a centre; `by` is the name of the account."""
    with db.writing() as connection:
        connection.execute("delete from scorecard_drafts where centre_id = ?", [centre_id])


def profile_of(centre_id: str, text: str) -> Centre:
    """The checked profile of a text that is in no file yet. Raises MisconfiguredError with line, value and the nearest allowed value."""
    return parse_centre(text, centre_id, f"{centre_id}.yaml")


def current_text(centre_id: str) -> str:
    """The text of the newest version: what a draft starts from. Raises MisconfiguredError for a centre without a profile."""
    return current_file(centre_id).read_bytes().decode()  # keeps line breaks as they are


def current_file(centre_id: str) -> Path:
    """The file of the newest version. Raises MisconfiguredError for a centre without a profile."""
    path = profile_file(centre_id)
    if path is None:
        load_centre(centre_id)  # raises the error that names the nearest centre
        raise MisconfiguredError(f"The centre {centre_id!r} has no profile.")
    return path


def current_version(centre_id: str) -> tuple[str, str]:
    """The newest version, and the sha256 of its text. Raises MisconfiguredError for a centre without a profile."""
    path = current_file(centre_id)
    return profile_history.facts(path).version, hashlib.sha256(path.read_bytes()).hexdigest()


def check_base(connection: sqlite3.Connection, centre_id: str) -> str:
    """The text of the draft, inside a transaction, if the profile is still what the draft was begun from.

    Raises ScorecardError without a draft, ConflictError when the profile was changed in the meantime.
    """
    row = connection.execute("select * from scorecard_drafts where centre_id = ?", [centre_id]).fetchone()
    if row is None:
        raise ScorecardError("sc_err_no_draft", centre=centre_id)
    version, sha256 = current_version(centre_id)
    if (row["based_on_version"], row["based_on_sha256"]) != (version, sha256):
        raise _moved_on(centre_id, row["based_on_version"], version)
    return str(row["text"])


def _moved_on(centre_id: str, before: str, current: str) -> ConflictError:
    key = "sc_err_activated_since" if before != current else "sc_err_file_changed"
    return ConflictError(key, centre=centre_id, before=before, current=current)


def _draft(row: Row) -> Draft:
    return Draft(row["centre_id"], row["text"], row["based_on_version"], row["edited_by"], row["edited_at"])
