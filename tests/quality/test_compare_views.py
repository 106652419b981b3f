"""Two warehouses are compared view by view: what differs is named, when it was written does not matter."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines.quality.compare_views import compare, main


def write_verdicts(path: Path, *rows: tuple[str, str, str]) -> Path:
    with duckdb.connect(str(path)) as db:
        db.execute("create table verdicts (call_id varchar, verdict varchar, judged_at varchar)")
        db.executemany("insert into verdicts values (?, ?, ?)", list(rows))
        db.execute("create view results as from verdicts")
    return path


def test_the_column_that_differs_is_named_and_moments_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = write_verdicts(tmp_path / "a.duckdb", ("1", "pass", "monday"), ("2", "fail", "monday"))
    same = write_verdicts(tmp_path / "b.duckdb", ("2", "fail", "friday"), ("1", "pass", "friday"))
    other = write_verdicts(tmp_path / "c.duckdb", ("1", "pass", "monday"), ("2", "unsure", "monday"))
    assert all(view.is_equal for view in compare(before, same)) and main([str(before), str(same)]) == 0
    found = {view.view: view for view in compare(before, other)}["results"]
    assert (found.rows, found.only_before, found.only_after, found.columns) == ((2, 2), 1, 1, ("verdict",))
    assert main([str(before), str(other)]) == 1
    assert "results: 2 and 2 rows, 1 rows only before, 1 only after; column verdict" in capsys.readouterr().out
    assert main([str(before), str(other), "--ignore", "verdict"]) == 0
