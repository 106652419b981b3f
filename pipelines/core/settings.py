"""Settings of a run: the only module that reads the environment, and the locations of the run's files."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipelines.core import lake_address
from pipelines.core.choices import ROOT as ROOT
from pipelines.core.choices import KeepText, Profile
from pipelines.core.errors import MisconfiguredError
from pipelines.core.lake_address import LakeAddress
from pipelines.core.validation import in_words, schema_of, wrong

# DuckDB names a database after its file, and could not distinguish these from its own schemas or from the warehouse's.
NOT_A_WAREHOUSE = ("core", "intermediate", "made", "main", "store", "system", "temp")
PREFIX = "CALLGRADE_"
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


def _folder_of_profiles(path: Path) -> Path:
    if not path.is_dir():
        raise wrong(_no_profiles(path))
    return path


def _no_profiles(path: Path) -> str:
    return f"there is no folder {path} with centre profiles; `callgrade centre new ID {path}` writes the first one"


class Settings(BaseSettings):
    """All settings of a run. Each field is an environment variable: `workers` is CALLGRADE_WORKERS. Paths are absolute.

    `warehouse` is the writer's DuckDB file; all other files of a run are in `site`, beside it. With a `lake`, its tables replace that
    file, and `warehouse` only names the site of this machine.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    warehouse: AbsolutePath = Path("callgrade.duckdb")
    """The writer's DuckDB file; stage, published copy, scorecards and clips are in the folder of the same name ending in .callgrade. For several machines: `ducklake:...`."""
    profile: Profile = "offline"
    """Which models."""
    keep_text: KeepText = "redacted"
    """`raw` keeps personal data readable in the warehouse."""
    workers: int = Field(default=1, ge=1)
    """Batches that `callgrade grade` processes in parallel; the models already use every core."""
    batch_audio_min: float = Field(default=30.0, ge=0.1)
    """Minutes of audio in a batch: the work lost in a crash, and the size of a mapped task."""
    retention_days: int = Field(default=45, ge=1)
    """Days after which forget_old_calls deletes a call, and a clip expires."""
    dispute_days: int = Field(default=14, ge=1)
    """Days in which an operator may dispute a point, from its verdict."""
    models_dir: AbsolutePath = ROOT / ".models"
    """The folder of the model weights."""
    recordings: AbsolutePath = Path("recordings")
    """The folder where pull_calls looks for recordings and their call log."""
    measured_calls: AbsolutePath | None = None
    """Calls with a reference, which measure_models recognises again every week; nothing is measured when unset."""
    centres: Annotated[AbsolutePath, AfterValidator(_folder_of_profiles)] | None = None
    """A folder of centre profiles (ID.yaml) outside the package; they join the packaged ones, and the same id replaces one."""
    call_log: AbsolutePath | None = None
    """The call log, if it is not calls.csv among the recordings."""
    alerts: AbsolutePath | None = None
    """The alert rules, if they are not alerts.yaml in the folder beside the warehouse."""
    openid: AbsolutePath | None = None
    """The OpenID Connect file, if it is not openid.yaml in the folder beside the warehouse."""
    openid_secret: str | None = Field(default=None, repr=False)
    """The client secret for the provider, if openid.yaml has no secret_file; never logged."""
    questions_url: str | None = None
    """An OpenAI-compatible server that answers the questions of scorecards, such as http://gpu-1:8000/v1; no question is asked when unset."""
    questions_model: str | None = None
    """The name of the language model on that server."""
    questions_key: str | None = Field(default=None, repr=False)
    """The API key for that server, if it requires one; never logged."""
    questions_weights: AbsolutePath | None = None
    """A folder with the weights of a language model that runs in this process instead of a server."""
    questions_outside: bool = False
    """true: the server may be outside the private address space; masked texts then leave the site."""
    questions_concurrency: int = Field(default=4, ge=1, le=64)
    """Questions that are asked at the same time."""
    questions_timeout_s: float = Field(default=60.0, ge=1, le=3600)
    """The longest time for one response of the server, in seconds."""
    questions_retries: int = Field(default=2, ge=0, le=10)
    """How often a request is repeated after a failure or a malformed response."""
    summaries: bool = False
    """true: the language model also writes a summary of two sentences for each call."""
    lake: Annotated[SkipJsonSchema[LakeAddress | None], NoDecode] = None  # the tables of several machines, from warehouse=ducklake:...
    source: str | None = Field(default=None, repr=False)
    """Where pull_calls fetches recordings from first, such as s3://...; may hold a password, never logged."""

    @model_validator(mode="before")
    @classmethod
    def _find_lake(cls, values: dict[str, Any]) -> dict[str, Any]:
        values = {name: value for name, value in values.items() if name != "lake" or isinstance(value, LakeAddress)}  # it has no variable
        warehouse = values.get("warehouse")
        if not str(warehouse).startswith(lake_address.PREFIX):
            return values
        if isinstance(warehouse, Path):
            raise MisconfiguredError("Set a lake with the variable CALLGRADE_WAREHOUSE, not with --warehouse, which other users can see.")
        lake, local = lake_address.parse(str(warehouse))
        return values | {"lake": lake, "warehouse": local}

    @model_validator(mode="after")
    def _is_named(self) -> Self:
        if self.warehouse.stem.lower() in NOT_A_WAREHOUSE:
            raise MisconfiguredError(
                f"The warehouse cannot be called {self.warehouse.name}: inside DuckDB that name is taken. Choose another, such as calls.duckdb; "
                "to keep an existing warehouse, rename the file and the folder beside it."
            )
        return self

    @model_validator(mode="after")
    def _names_one_language_model(self) -> Self:
        if self.questions_url and self.questions_weights:
            raise MisconfiguredError(
                "Set CALLGRADE_QUESTIONS_URL or CALLGRADE_QUESTIONS_WEIGHTS, not both: one model answers the questions."
            )
        if self.questions_url:
            if not _is_server(self.questions_url):
                raise MisconfiguredError(
                    "CALLGRADE_QUESTIONS_URL must be the address of a server without a password, such as http://gpu-1:8000/v1; "
                    "the key goes into CALLGRADE_QUESTIONS_KEY."
                )
            if not self.questions_model:
                raise MisconfiguredError(
                    "CALLGRADE_QUESTIONS_MODEL is missing: the name of the model on the server of CALLGRADE_QUESTIONS_URL."
                )
        if self.summaries and not (self.questions_url or self.questions_weights):
            raise MisconfiguredError(
                "CALLGRADE_SUMMARIES needs a language model: set CALLGRADE_QUESTIONS_URL or CALLGRADE_QUESTIONS_WEIGHTS."
            )
        return self

    @property
    def language_model(self) -> str | None:
        """The name of the model that answers questions, stored with each answer; None where none is configured."""
        if self.questions_url:
            return self.questions_model
        return (self.questions_model or self.questions_weights.name) if self.questions_weights else None

    @property
    def site(self) -> Path:
        """The folder beside the warehouse with stage, published copy, scorecards and clips."""
        return self.warehouse.with_suffix(".callgrade")

    @property
    def stage(self) -> Path:
        return self.site / "stage"

    @property
    def inbox(self) -> Path:
        """The folder of recordings fetched from `source`."""
        return self.site / "inbox"

    @property
    def snapshot(self) -> Path:
        """The published read-only copy for people and notebooks."""
        return self.site / "published" / self.warehouse.name

    @property
    def scorecards(self) -> Path:
        return self.site / "scorecards"

    @property
    def clips(self) -> Path:
        return self.site / "clips"

    @classmethod
    def from_environment(cls, **given: Any) -> Self:
        """Settings from `CALLGRADE_*` variables; values in `given` (unless None) take precedence.

        Raises MisconfiguredError with every invalid variable, its value and what is allowed.
        """
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            schema, variables = schema_of(cls), {name: variable(name) for name in cls.model_fields}
            raise MisconfiguredError("\n".join(f"{in_words(e, schema, variables)}." for e in error.errors())) from None

    def with_(self, **changes: Any) -> Self:
        """A copy with some values changed."""
        return self.model_copy(update=changes)

    def as_environment(self) -> dict[str, str]:
        """The `CALLGRADE_*` variables that pass these settings to another process."""
        values = {name: getattr(self, name) for name in type(self).model_fields if name != "lake"}
        if self.lake is not None:
            values["warehouse"] = self.lake.text
        return {variable(name): "" if value is None else str(value) for name, value in values.items()}


def _is_server(url: str) -> bool:
    """Whether a URL is the address of an HTTP server, without a user, a query or a fragment."""
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port or IPv6 address
        return False
    return is_whole and not (parts.username or parts.password or parts.query or parts.fragment)


def variable(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def centres_folder() -> Path | None:
    """The folder of centre profiles outside the package, if one is set; the same for all parts of a process."""
    folder = os.environ.get(variable("centres"))
    return Path(folder).expanduser().absolute() if folder else None


def use_centres(folder: Path) -> None:
    """Use this folder of centre profiles in this process and those that it starts. Raises MisconfiguredError when there is none."""
    if not folder.is_dir():
        raise MisconfiguredError(f"--centres: {_no_profiles(folder)}.")
    os.environ[variable("centres")] = str(folder.expanduser().absolute())


def now() -> datetime:
    """The current time, or the fixed SOURCE_DATE_EPOCH (so that two runs can be compared byte by byte)."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
