from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.core.errors import MisconfiguredError
from pipelines.core.lake_address import parse
from pipelines.core.settings import Settings

ADDRESS = "ducklake:postgresql://call%40grade:se%27cret@db.local:5433/calls?data=/mnt/shared&local=/var/lib/callgrade/site.duckdb"


def test_an_address_says_where_the_catalogue_and_the_rows_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGRADE_WAREHOUSE", ADDRESS)
    settings = Settings.from_environment()
    assert settings.lake is not None
    assert settings.lake.catalogue == r"host='db.local' port='5433' user='call@grade' password='se\'cret' dbname='calls'"
    assert settings.lake.data == "/mnt/shared/"
    assert settings.site == Path("/var/lib/callgrade/site.callgrade")
    assert settings.as_environment()["CALLGRADE_WAREHOUSE"] == ADDRESS
    assert "cret" not in f"{settings} {settings.lake}"
    monkeypatch.setenv("CALLGRADE_WAREHOUSE", "ducklake:postgresql:///calls?data=s3://bucket/calls")
    assert Settings.from_environment().lake == parse("ducklake:postgresql:///calls?data=s3://bucket/calls")[0]
    assert Settings.from_environment(warehouse=Path("other.duckdb")).lake is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ducklake:sqlite://calls.db?data=/x", "several writers need PostgreSQL"),
        ("ducklake:postgresql://host?data=/x", "the database name is missing"),
        ("ducklake:postgresql://host:port/calls?data=/x", "is not a valid address"),
        ("ducklake:postgresql://host/calls", "data is ''"),
        ("ducklake:postgresql://host/calls?data=here", "data is 'here'"),
        ("ducklake:postgresql://host/calls?data=/x&dta=/y", "'dta' is not known"),
        ("ducklake:postgresql://host/calls?data=/x&data=/y", "a parameter is given twice"),
    ],
)
def test_a_wrong_address_is_refused_with_what_is_wrong(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGRADE_WAREHOUSE", text)
    with pytest.raises(MisconfiguredError, match=said):
        Settings.from_environment()


def test_a_lake_is_not_named_on_the_command_line() -> None:
    with pytest.raises(MisconfiguredError, match="with the variable CALLGRADE_WAREHOUSE"):
        Settings.from_environment(warehouse=Path("ducklake:postgresql:///calls"))
