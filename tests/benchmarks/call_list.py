"""Times of the list of calls: `python -m tests.benchmarks.call_list --in FOLDER`, on the warehouse that `tests.benchmarks.scale` made there.

Each list is read five times with its total; the first time reads from the disk, the best of the others is what readers usually wait for.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.core.published import open_published
from pipelines.core.settings import Settings
from pipelines.queries import call_list
from pipelines.queries.call_list import CallQuery

THREADS = 2  # of DuckDB, as the server has
TIMES = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Print the times as a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.call_list", description="Measure the list of calls.")
    parser.add_argument("--in", dest="folder", type=Path, required=True, help="folder of `tests.benchmarks.scale`")
    folder = parser.parse_args(argv).folder
    settings = Settings.from_environment(warehouse=folder / "scale.duckdb")
    with open_published(settings) as published:
        published.connection.execute(f"set threads = {THREADS}")
        newest = published.rows(
            "select * from calls where status = 'graded' and operator_id is not null order by started_local desc limit 1"
        )[0]
        centres = tuple(row["centre_id"] for row in published.rows("select distinct centre_id from calls where centre_id is not null"))
        lists: dict[str, dict[str, Any]] = {
            "all calls": {},
            "all calls, page 100": {"page": 100},
            "one centre": {"centres": (newest["centre_id"],)},
            "one operator over 3 minutes under 60 %": {
                "centres": (newest["centre_id"],),
                "operator_id": newest["operator_id"],
                "least_s": 180,
                "most_pct": 60,
            },
            "a topic in the last week": {"topic": newest["topic"], "first_day": newest["started_local"].date()},
            "a criterion failed, worst first": {"criterion_id": "greeting", "verdict": "fail", "sort": "score", "is_descending": False},
            "an outcome of the procedure": {"outcome": "tolerated"},
            "a word of one call in twenty": {"text": "перерасчёт"},
            "a word of most calls": {"text": "спасибо"},
        }
        print("| list | calls | first, ms | best of the next, ms |\n|---|---|---|---|")
        for name, filters in lists.items():
            query = CallQuery(**({"centres": centres} | filters))
            spent = []
            for _ in range(TIMES):
                began = time.perf_counter()
                found = call_list.page_of(published, query)
                spent.append(1000 * (time.perf_counter() - began))
            print(f"| {name} | {found.total} | {spent[0]:.0f} | {min(spent[1:]):.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
