"""Views and queries exported as files that a spreadsheet and a data frame can open."""

from __future__ import annotations

import re
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines import warehouse
from pipelines.__main__ import main
from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import Settings
from pipelines.warehouse.export import export
from tests.staged import call, stage

FORMULA = '=HYPERLINK("http://example.org","x")'


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two calls of Irkutsk, half past one in the night there; one bears an operator's name that looks like a formula."""
    settings = Settings(warehouse=tmp_path_factory.mktemp("export") / "callgrade.duckdb")
    warehouse.load(stage(settings, "b", [call("a"), call("b", operator_id=FORMULA)]), settings)
    warehouse.publish(settings)
    return settings


def sheet(path: Path) -> list[list[str]]:
    """The first sheet's cells as text, row by row."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        text = archive.read("xl/worksheets/sheet1.xml").decode("utf-8")
    assert "<f>" not in text and "<hyperlink" not in text
    rows = re.findall(r"<row .*?</row>", text, re.S)
    cells = [re.findall(r"<c [^>]*?>(?:<is><t[^>]*>(.*?)</t></is>|<v>(.*?)</v>)</c>", row, re.S) for row in rows]
    return [[a or b for a, b in row] for row in cells]


def test_a_sheet_holds_a_view_with_moments_on_the_wall_of_the_centre(published: Settings, tmp_path: Path) -> None:
    query = tmp_path / "q.sql"
    query.write_text("select call_id, started_at, operator_id from calls order by call_id;\n", encoding="utf-8")
    assert export(published, str(query), tmp_path / "out.xlsx") == 2
    head, first, second = sheet(tmp_path / "out.xlsx")
    assert head == ["call_id", "started_at (local)", "operator_id"]
    assert datetime(1899, 12, 30) + timedelta(days=float(first[1])) == datetime(2024, 10, 22, 1, 30)
    assert second[2] == FORMULA.replace('"', "&quot;") or second[2] == FORMULA
    with zipfile.ZipFile(tmp_path / "out.xlsx") as archive:
        assert b'quotePrefix="1"' in archive.read("xl/styles.xml")  # it stays text when the cell is edited
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_every_view_can_be_written_in_both_forms(published: Settings, tmp_path: Path) -> None:
    for file in sorted((Path(warehouse.__file__).parents[2] / "sql" / "marts").glob("*.sql")):
        rows = export(published, file.stem, tmp_path / f"{file.stem}.xlsx")
        assert export(published, file.stem, tmp_path / f"{file.stem}.parquet") == rows
        found = duckdb.execute("select count(*) from read_parquet(?)", [str(tmp_path / f"{file.stem}.parquet")]).fetchone()
        assert found == (rows,)
        assert len(sheet(tmp_path / f"{file.stem}.xlsx")) == rows + 1


def test_the_command_says_how_many_rows_it_wrote(published: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "calls.parquet"
    assert main(["export", "calls", str(out), "--warehouse", str(published.warehouse)]) == 0
    assert "2 rows in" in capsys.readouterr().out
    moments = duckdb.execute("select distinct typeof(started_at) from read_parquet(?)", [str(out)]).fetchall()
    assert moments == [("TIMESTAMP WITH TIME ZONE",)]


@pytest.mark.parametrize(
    ("what", "name", "says"),
    [
        ("operator_scorecard", "x.xlsx", "Did you mean operator_scorecards"),
        ("calls", "x.csv", "the file name must end in one of"),
        ("calls", "nowhere/x.xlsx", "the folder .* does not exist"),
        ("gone.sql", "x.xlsx", "cannot be read"),
        ("delete from calls", "x.xlsx", "There is no view"),
    ],
)
def test_a_wrong_order_is_reported_in_a_sentence(published: Settings, tmp_path: Path, what: str, name: str, says: str) -> None:
    with pytest.raises(MisconfiguredError, match=says):
        export(published, what, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("select 1; select 2", "must contain one query"),
        ("drop view calls", "must contain one query"),
        ("select nothing from calls", "the query fails"),
    ],
)
def test_a_file_must_hold_one_query_that_runs(published: Settings, tmp_path: Path, text: str, says: str) -> None:
    query, out = tmp_path / "q.sql", tmp_path / "out.xlsx"
    query.write_text(text, encoding="utf-8")
    out.write_bytes(b"of before")
    with pytest.raises(MisconfiguredError, match=says):
        export(published, str(query), out)
    assert out.read_bytes() == b"of before"
    assert {p.name for p in tmp_path.iterdir()} == {"q.sql", "out.xlsx"}


def test_more_rows_than_a_sheet_holds_are_refused(published: Settings, tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="more than the 1 rows"):
        export(published, "calls", tmp_path / "out.xlsx", most_rows=1)
    assert list(tmp_path.iterdir()) == []
