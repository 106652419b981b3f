"""Reads the transcript of one call: JSON written by another recogniser or typed by people.

The file is an object with a list `turns`; each turn has `text`, `start_s`, `end_s` and either `role` or `speaker`, optionally `lang`
and `words` with their own times. Other keys are ignored, so that other tools may add their own. The file is untrusted: its size,
numbers and texts are bounded before anything is built from them.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from models.languages.language import LANGUAGES
from pipelines.core.errors import BadRecordingError
from pipelines.core.regular_file import open_regular
from pipelines.core.rejections import Key, Reason
from pipelines.decoding.formats import MAX_LENGTH_S

SUFFIX = ".json"
MAX_SIZE_BYTES = 32 * 1024 * 1024
_ROLES = {
    "operator": "operator", "agent": "operator", "client": "client", "customer": "client", "caller": "client", "unknown": "unknown",
}  # fmt: skip


def _role(value: object) -> object:
    if not isinstance(value, str):
        return value
    known = _ROLES.get(value.strip().casefold())
    if known is None:
        raise ValueError(f"must be one of {', '.join(_ROLES)}; use speaker for other voices")
    return known


def _language(value: object) -> object:
    """The code without its region; an unsupported language falls back to that of the call."""
    if not isinstance(value, str):
        return value
    code = value.strip().casefold().replace("_", "-").partition("-")[0]
    return code if code in LANGUAGES else None


def _plain(text: str) -> str:
    """Text on one line, without control and formatting characters, which could disguise it on display."""
    spaced = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(c for c in spaced if c == " " or unicodedata.category(c)[0] != "C")


Seconds = Annotated[float, Field(ge=0, le=MAX_LENGTH_S, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=50_000), AfterValidator(_plain)]


class _Timed(BaseModel):
    """Speech between two times, in seconds from the start of the call."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    text: Text
    start_s: Seconds
    end_s: Seconds

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> _Timed:
        if self.end_s < self.start_s:
            raise ValueError(f"end_s {self.end_s:g} is before start_s {self.start_s:g}")
        return self


class TranscriptWord(_Timed):
    """One word; `probability` is the recogniser's confidence, 0 to 1, if it gives one."""

    probability: Annotated[float, Field(ge=0, le=1)] | None = None


class TranscriptTurn(_Timed):
    """What one speaker says without a break. `role` is known, or `speaker` is a label local to the call."""

    role: Annotated[str | None, BeforeValidator(_role)] = None
    speaker: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    lang: Annotated[str | None, BeforeValidator(_language)] = None
    words: Annotated[tuple[TranscriptWord, ...], Field(max_length=10_000)] = ()

    @model_validator(mode="after")
    def _names_a_voice(self) -> TranscriptTurn:
        if self.role is None and self.speaker is None:
            raise ValueError("needs role (operator or client) or speaker")
        return self


class Transcript(BaseModel):
    """The turns of one call, in any order."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    turns: Annotated[tuple[TranscriptTurn, ...], Field(max_length=20_000)]


def read_transcript(path: Path, sha256: str | None = None) -> Transcript:
    """The transcript in a file.

    Args:
        path: the JSON file, UTF-8.
        sha256: from intake; a file that has changed since is refused.

    Raises BadRecordingError with the place and the error: quarantined for a file that is not a transcript, unscoreable for one without
    words.
    """
    name = path.name
    try:
        with open_regular(path) as file:
            content = file.read(MAX_SIZE_BYTES + 1)
    except OSError as error:
        raise BadRecordingError(Reason(Key.UNREADABLE, file=name, error=str(error.strerror))) from None
    if len(content) > MAX_SIZE_BYTES:
        raise BadRecordingError(Reason(Key.TRANSCRIPT_TOO_LARGE, file=name, size=MAX_SIZE_BYTES // 1024**2))
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise BadRecordingError(Reason(Key.TRANSCRIPT_CHANGED, file=name))
    try:
        transcript = Transcript.model_validate(_parse(content))
    except (ValueError, RecursionError) as error:
        raise BadRecordingError(Reason(Key.NOT_TRANSCRIPT, file=name, error=_explain(error))) from None
    if not any(turn.text for turn in transcript.turns):
        raise BadRecordingError(Reason(Key.TRANSCRIPT_EMPTY, file=name))
    return transcript


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start + 1} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None


def _explain(error: ValueError | RecursionError) -> str:
    """The first error, with its place; never the text itself, which may contain personal data."""
    if isinstance(error, RecursionError):
        return "its values are nested too deeply"
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    place = [f"{item + 1}" if isinstance(item, int) else item for item in first["loc"]]
    message = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
    return f"{' '.join(place)}: {message[:1].lower()}{message[1:]}" if place else message
