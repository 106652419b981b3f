"""`callgrade grade` with questions: from a transcript to the verdict and the summary on the page of the call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.core.settings import Settings
from tests.questions.asked import ARRIVAL, PARCEL, centre_asking
from tests.questions.model_server import Exchange, honest, serving
from tests.questions.test_questions import FRIDAY
from tests.questions.test_summaries import OUTCOME, WANTED, summarising
from tests.staged import rows

SHARED = {"greeting": {"id": "greeting", "rule": "said", "acts": ["greeting"], "where": "opening", "weight": 5}}


@pytest.mark.slow
def test_grading_goes_on_without_the_server_and_catches_up_with_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    centre_asking(monkeypatch, SHARED["greeting"], ARRIVAL)
    folder = tmp_path / "calls"
    folder.mkdir()
    turns = [{"role": role, "text": text, "start_s": 6.0 * n, "end_s": 6.0 * n + 5, "lang": "en"} for n, (role, text) in enumerate(PARCEL)]
    (folder / "c-1.json").write_text(json.dumps({"turns": turns}), encoding="utf-8")
    (folder / "calls.csv").write_text("call_id,centre,recording\nc-1,irkutsk,c-1.json\n", encoding="utf-8")
    is_down = [True]

    def model(exchange: Exchange) -> None:
        if is_down[0]:
            exchange.send(502, b"bad gateway", "text/plain")
        elif "two sentences" in exchange.said or any(one["text"] in exchange.said for one in (WANTED, OUTCOME)):
            summarising(WANTED, OUTCOME)(exchange)
        else:
            honest(parcel=FRIDAY)(exchange)

    def graded() -> dict[str, tuple[str, str | None]]:
        assert main(["grade", str(folder), "--transcripts", "--warehouse", str(settings.warehouse)]) == 0
        return {
            name: (verdict, quote)
            for name, verdict, quote in rows(settings.snapshot, "select criterion_id, verdict, quote from criterion_results")
        }

    with serving(model) as server:
        monkeypatch.setenv("CALLGRADE_QUESTIONS_URL", server.url)
        monkeypatch.setenv("CALLGRADE_QUESTIONS_MODEL", "qwen3-4b")
        monkeypatch.setenv("CALLGRADE_QUESTIONS_RETRIES", "0")
        monkeypatch.setenv("CALLGRADE_SUMMARIES", "1")
        first = graded()
        assert first["arrival"] == ("unsure", None) and first["greeting"][0] == "pass"
        assert "2 questions asked of qwen3-4b" in capsys.readouterr().out
        is_down[0] = False
        assert graded() == first | {"arrival": ("pass", "The parcel will arrive on Friday,")}
        before = len(server.requests)
        graded()
        assert len(server.requests) == before

    page = (settings.scorecards / "calls" / "c-1.html").read_text(encoding="utf-8")
    assert "The client asks where a parcel is." in page and 'href="#turn-3"' in page
    assert main(["regrade-report", "--warehouse", str(settings.warehouse)]) == 0
    assert "arrival" not in (settings.site / "regrade.md").read_text(encoding="utf-8")
