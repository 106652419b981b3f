"""Constants shared by the settings and the command line, which must start without loading pydantic: the repository root and the allowed values."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

ROOT = Path(__file__).resolve().parents[2]  # of the repository

Profile = Literal["offline", "cpu", "telephone", "gpu"]
KeepText = Literal["redacted", "raw"]
PROFILES: tuple[Profile, ...] = get_args(Profile)
KEEP_TEXT: tuple[KeepText, ...] = get_args(KeepText)
