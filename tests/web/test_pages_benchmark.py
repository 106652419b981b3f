"""The page benchmark requests every existing page."""

from __future__ import annotations

from tests.benchmarks import pages


def test_every_page_is_requested() -> None:
    call = {"call_id": "a/b 1", "centre_id": "kyiv", "operator_id": "op 1"}
    known = pages.Known([call], [call], ["kyiv"], ["0" * 16], ["1" * 16], [1], call, [call])
    asked = pages.every_page(known)
    assert pages.not_asked(asked) == []
    assert pages.not_asked([page for page in asked if page.name != "care"]) == ["/care/{centre_id}"]
    assert {page.role for page in asked} == {"administrator", "manager", "trainer", "analyst", "operator"}
    for page in asked:
        page.seconds += [0.3, 0.1, 0.2]
        page.cpu_s += [0.1, 0.0, 0.02]
    assert "| a call | manager | 200 | 300 | 300 | 40 |" in pages.table(asked)
