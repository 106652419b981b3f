"""Batches with questions: a centre whose scorecard asks some, and a call about a parcel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipelines.centres.profile import Centre, load_centre
from pipelines.centres.scorecard import Criterion
from pipelines.core.records import Call, QuestionAnswer, Turn, Verdict
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.questions import step
from pipelines.score.step import score_call
from tests.score.spoken import audio_of, call_of, sentiments_of, turns_of

PARCEL = (
    ("operator", "Good afternoon, this is [NAME] speaking."),
    ("client", "Hello, where is my parcel [ACCOUNT]?"),
    ("operator", "It is on its way. The parcel will arrive on Friday, before noon."),
    ("client", "Will it arrive on Friday? Thank you."),
)
ARRIVAL = {"id": "arrival", "question": {"en": "Did the operator say when the parcel will arrive?"}}


def criterion(**fields: Any) -> Criterion:
    """A criterion with a question."""
    shared = {"rule": "question", "weight": 10, "title": {"en": "Arrival"}, "description": {"en": "The operator says when."}}
    return Criterion.model_validate(shared | fields)


def centre_asking(monkeypatch: pytest.MonkeyPatch, *criteria: Mapping[str, Any]) -> Centre:
    """The centre irkutsk with a scorecard of these criteria alone, in every step."""
    centre = load_centre("irkutsk")
    card = centre.scorecard.model_copy(update={"criteria": tuple(criterion(**one) for one in criteria)})
    changed = centre.model_copy(update={"scorecard": card})
    for module in ("pipelines.questions.step", "pipelines.score.step"):
        monkeypatch.setattr(f"{module}.centre_of", lambda _: changed)
    return changed


def staged(settings: Settings, said: Sequence[tuple[str, str]] = PARCEL, calls: int = 1) -> tuple[Batch, list[Turn]]:
    """A batch of calls in which this was said, as the redact step leaves it; the turns are those of the first call."""
    batch = Batch(settings.stage / "b")
    turns = turns_of(*said, language="en")
    ids = [f"c-{n}" for n in range(1, calls + 1)]
    batch.write("calls", [_call(call_id) for call_id in ids])
    batch.write("turns", [replace(turn, call_id=call_id) for call_id in ids for turn in turns])
    return batch, turns


def asked(settings: Settings, said: Sequence[tuple[str, str]] = PARCEL, calls: int = 1) -> list[QuestionAnswer]:
    """The answers after the step ran on such a batch."""
    batch, _ = staged(settings, said, calls)
    step.run(batch, settings)
    answers: list[QuestionAnswer] = batch.read("answers")
    return answers


def judged(settings: Settings, said: Sequence[tuple[str, str]] = PARCEL) -> Verdict:
    """The verdict on the one criterion of the scorecard."""
    batch, turns = staged(settings, said)
    step.run(batch, settings)
    scored = score_call(_call("c-1"), audio_of(turns), turns, sentiments=sentiments_of(turns), answers=batch.read("answers"))
    (verdict,) = scored.verdicts
    return verdict


def _call(call_id: str) -> Call:
    return call_of("irkutsk", call_id=call_id, operator_id="op-4711", client_ref="client-17", line="first")
