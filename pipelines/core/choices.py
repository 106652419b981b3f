"""Values that a run can be given from a short list. Settings and the command line share them; the latter starts without loading pydantic."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

ROOT = Path(__file__).resolve().parents[2]  # of the repository

Profile = Literal["offline", "cpu", "telephone", "gpu"]
KeepText = Literal["redacted", "raw"]
PROFILES: tuple[Profile, ...] = get_args(Profile)
KEEP_TEXT: tuple[KeepText, ...] = get_args(KeepText)
