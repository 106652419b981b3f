"""A score is never shown larger than its decided points allow."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from pipelines.app_db import accounts
from pipelines.core.settings import Settings
from pipelines.reports.open_range import open_range
from pipelines.web.app import make_app
from tests.web.made_calls import Made, load_and_publish
from tests.web.people import HOST, LIMITS, PASSWORD, People


@given(st.floats(0, 100), st.floats(0, 99), st.booleans())
def test_the_range_holds_every_score_that_the_open_points_can_lead_to(score: float, coverage: float, rest: bool) -> None:
    found = open_range(score, coverage)
    assert found is not None and 0 <= found.low_pct <= found.high_pct <= 100 + 1e-9
    final = score * coverage / 100 + (100 - coverage) * rest
    assert found.low_pct - 1e-9 <= final <= found.high_pct + 1e-9


def test_there_is_no_range_where_nothing_is_open() -> None:
    assert open_range(70, 100) is None and open_range(None, 20) is None and open_range(0, 30, True) is None and open_range(70, None) is None


@pytest.fixture
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("open") / "open.duckdb")
    lines = [("operator", "Добрий день."), ("client", "Хочу дізнатися тариф.")]
    open_points = [(c, "unsure", None, "") for c in ("farewell", "solution_given", "client_identified")]
    load_and_publish(settings, [
        Made("kyiv-1", "kyiv", "uk", lines, verdicts=[("greeting", "pass", 1, ""), *open_points]),
        Made("kyiv-2", "kyiv", "uk", lines, verdicts=[("greeting", "pass", 1, "")], client_ref="c-2"),
    ])  # fmt: skip
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        app = make_app(settings, {HOST}, limits=LIMITS)
        accounts.add(app.state.site.store, "manager", "manager", PASSWORD, ["kyiv"], None)
        with TestClient(app):
            people = People(app)
            people.show_results("manager")
            yield people


def test_a_call_with_few_decided_points_shows_a_range_wherever_its_score_stands(person: People) -> None:
    manager = person.person("manager")
    call = manager.get("/calls/kyiv-1").text
    shown = re.search(r'<output aria-label="Score">\s*([^<]+?)\s*</output>', call)
    assert shown and re.fullmatch(r"\d+–100%", shown[1]), shown
    lowest = shown[1].partition("–")[0]
    assert 0 < int(lowest) < 60
    row = manager.get("/centres/kyiv").text.partition('<table class="rows" id="calls">')[2].partition("</table>")[0]
    assert f"{lowest}–100%" in row and "decided" in row
    assert f"{lowest}–100%" in manager.get("/centres/kyiv/queue").text


def test_a_call_whose_points_are_all_decided_shows_its_score_alone(person: People) -> None:
    call = person.person("manager").get("/calls/kyiv-2").text
    assert re.search(r'<output aria-label="Score">\s*100%\s*</output>', call)
