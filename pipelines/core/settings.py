"""The one reader of the environment: what a run works with, and where its files lie."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

from pipelines.core import lake_address
from pipelines.core.errors import MisconfiguredError
from pipelines.core.lake_address import LakeAddress

ROOT = Path(__file__).resolve().parents[2]
KEEP_TEXT = ("redacted", "raw")
# DuckDB calls a database as its file is called, and could not tell these from its own schemas or from the warehouse's.
NOT_A_WAREHOUSE = ("made", "main", "store", "system", "temp")
PROFILES = ("offline", "cpu", "telephone", "gpu")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run may be told. Paths are absolute.

    `warehouse` is the writer's DuckDB file; all other files of a run lie in `site`, beside it. Where there is a `lake`, its tables take the
    place of that file, and `warehouse` only names the site of this machine.
    """

    warehouse: Path
    profile: Literal["offline", "cpu", "telephone", "gpu"] = "offline"
    keep_text: Literal["redacted", "raw"] = "redacted"
    workers: int = 1
    batch_audio_min: float = 30.0
    retention_days: int = 45
    dispute_days: int = 14  # how long an operator may dispute a point
    models_dir: Path = ROOT / ".models"
    recordings: Path = ROOT / "tests" / "calls"  # where pull_calls looks
    call_log: Path | None = None
    alerts: Path | None = None  # the rules of alerts, where they are not alerts.yaml beside the warehouse
    openid: Path | None = None  # the file of OpenID Connect, where it is not openid.yaml beside the warehouse
    openid_secret: str | None = field(default=None, repr=False)  # what this site proves itself with to the provider, never logged
    lake: LakeAddress | None = None  # the tables of several machines, from CALLGRADE_WAREHOUSE=ducklake:...
    source: str | None = None  # where pull_calls fetches recordings from first; may hold a password, never logged

    @property
    def site(self) -> Path:
        """The folder beside the warehouse with stage, published snapshot, scorecards and clips."""
        return self.warehouse.with_suffix(".callgrade")

    @property
    def stage(self) -> Path:
        return self.site / "stage"

    @property
    def inbox(self) -> Path:
        """Where recordings fetched from `source` lie."""
        return self.site / "inbox"

    @property
    def snapshot(self) -> Path:
        """The read-only copy that people and notebooks open."""
        return self.site / "published" / self.warehouse.name

    @property
    def scorecards(self) -> Path:
        return self.site / "scorecards"

    @property
    def clips(self) -> Path:
        return self.site / "clips"

    @classmethod
    def from_environment(cls, **given: Any) -> Settings:
        """Settings from `CALLGRADE_*` variables; what is `given` (and not None) wins.

        Raises MisconfiguredError with the variable, its value and the allowed ones.
        """
        env = os.environ
        values: dict[str, Any] = {
            "warehouse": env.get("CALLGRADE_WAREHOUSE", "callgrade.duckdb"),
            "profile": env.get("CALLGRADE_PROFILE", "offline"),
            "keep_text": env.get("CALLGRADE_KEEP_TEXT", "redacted"),
            "workers": env.get("CALLGRADE_WORKERS", "1"),
            "batch_audio_min": env.get("CALLGRADE_BATCH_AUDIO_MIN", "30"),
            "retention_days": env.get("CALLGRADE_RETENTION_DAYS", "45"),
            "dispute_days": env.get("CALLGRADE_DISPUTE_DAYS", "14"),
            "models_dir": Path(env.get("CALLGRADE_MODELS_DIR", str(ROOT / ".models"))),
            "recordings": Path(env.get("CALLGRADE_RECORDINGS", str(ROOT / "tests" / "calls"))),
            "call_log": Path(env["CALLGRADE_CALL_LOG"]) if env.get("CALLGRADE_CALL_LOG") else None,
            "alerts": Path(env["CALLGRADE_ALERTS"]) if env.get("CALLGRADE_ALERTS") else None,
            "openid": Path(env["CALLGRADE_OPENID"]) if env.get("CALLGRADE_OPENID") else None,
            "openid_secret": env.get("CALLGRADE_OPENID_SECRET") or None,
            "source": env.get("CALLGRADE_SOURCE") or None,
        }
        values.update({k: v for k, v in given.items() if v is not None})
        if str(values["warehouse"]).startswith(lake_address.PREFIX):
            if isinstance(values["warehouse"], Path):
                raise MisconfiguredError("A lake is named by the variable CALLGRADE_WAREHOUSE, not by --warehouse, where all could see it.")
            values["lake"], values["warehouse"] = lake_address.parse(values["warehouse"])
        values["workers"] = _number("CALLGRADE_WORKERS", values["workers"], int, 1)
        values["batch_audio_min"] = _number("CALLGRADE_BATCH_AUDIO_MIN", values["batch_audio_min"], float, 0.1)
        values["retention_days"] = _number("CALLGRADE_RETENTION_DAYS", values["retention_days"], int, 1)
        values["dispute_days"] = _number("CALLGRADE_DISPUTE_DAYS", values["dispute_days"], int, 1)
        _one_of("CALLGRADE_PROFILE", values["profile"], PROFILES)
        _one_of("CALLGRADE_KEEP_TEXT", values["keep_text"], KEEP_TEXT)
        for key in ("warehouse", "models_dir", "recordings", "call_log", "alerts", "openid"):
            if values[key] is not None:
                values[key] = Path(values[key]).expanduser().absolute()
        if values["warehouse"].stem.lower() in NOT_A_WAREHOUSE:
            raise MisconfiguredError(
                f"The warehouse cannot be called {values['warehouse'].name}: inside DuckDB that name is taken. Choose another, such as calls.duckdb."
            )
        return cls(**values)

    def with_(self, **changes: Any) -> Settings:
        """A copy with some values changed."""
        return replace(self, **changes)

    def as_environment(self) -> dict[str, str]:
        """The `CALLGRADE_*` variables that give another process these very settings."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "lake"}
        if self.lake is not None:
            values["warehouse"] = self.lake.text
        return {f"CALLGRADE_{name.upper()}": "" if value is None else str(value) for name, value in values.items()}


def now() -> datetime:
    """The present, or the moment that SOURCE_DATE_EPOCH fixes (so that two runs can be compared byte by byte)."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)


def _number(name: str, value: object, kind: type[int] | type[float], least: float) -> int | float:
    try:
        number = kind(cast(Any, value))
    except (TypeError, ValueError):
        raise MisconfiguredError(f"{name} is {value!r}; it must be a number, {least} or more.") from None
    if number < least:
        raise MisconfiguredError(f"{name} is {value!r}; it must be {least} or more.")
    return number


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise MisconfiguredError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}.")
