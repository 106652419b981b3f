"""The labelled dialogues are consistent: every file is valid, and no writer of the measurements is in any fit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from models.text.turn_model import ACTS, KINDS, SENTIMENTS, SEVERITIES, TARGETS
from models.training.dialogues import FOLDER, Dialogue, read_dialogue, read_dialogues, without_writers
from pipelines.core.settings import ROOT
from pipelines.quality.dialogue_calls import reference_of, write_calls
from pipelines.quality.reference import read_references, right_verdicts

MEASURING = ROOT / "tests" / "quality" / "dialogues"
OF_SOME_CENTRES = {"recording_notice", "asks_secret", "eta_given", "claim_read_back", "ticket_given"}
CLIENT_TYPES = {"addressed", "venting", "uninformed", "complainer", "opinionated", "rude"}


@pytest.fixture(scope="module")
def fitted() -> list[Dialogue]:
    return read_dialogues()


@pytest.fixture(scope="module")
def measuring() -> list[Dialogue]:
    return read_dialogues(MEASURING)


def test_every_label_is_one_of_those_that_there_are(fitted: list[Dialogue], measuring: list[Dialogue]) -> None:
    for dialogue in (*fitted, *measuring):
        assert dialogue.client_type in CLIENT_TYPES, dialogue.call_id
        for turn in dialogue.turns:
            assert turn.words and len(turn.words) == len(turn.personal), dialogue.call_id
            assert set(turn.acts) <= {*ACTS, *OF_SOME_CENTRES} and (turn.role == "operator" or not turn.acts), dialogue.call_id
            assert turn.severity in SEVERITIES and (turn.target in TARGETS) == (turn.severity != "none"), dialogue.call_id
            assert turn.sentiment in SENTIMENTS and set(turn.personal) <= set(KINDS), dialogue.call_id


def test_ids_are_unique_and_folders_are_writers(fitted: list[Dialogue], measuring: list[Dialogue]) -> None:
    ids = Counter(d.call_id for d in (*fitted, *measuring))
    assert not [call_id for call_id, n in ids.items() if n > 1]
    for folder in (FOLDER, MEASURING):
        for path in folder.rglob("*.yaml"):
            assert path.parent.name == f"w{read_dialogue(path).writer:02d}"


def test_no_writer_measures_and_is_learned_from(fitted: list[Dialogue], measuring: list[Dialogue]) -> None:
    assert not {d.writer for d in fitted} & {d.writer for d in measuring}
    assert {d.language for d in measuring} == {"ru", "uk", "hu", "en"}


def test_a_whole_writer_is_left_out(fitted: list[Dialogue]) -> None:
    kept, left_out = without_writers(fitted, [3, 15])

    assert {d.writer for d in left_out} == {3, 15} and not {3, 15} & {d.writer for d in kept}
    assert len(kept) + len(left_out) == len(fitted)


@pytest.mark.parametrize(
    ("turn", "words"),
    [("{who: client, text: Слово, pii: [{kind: name, text: Иванов}]}", "does not occur"), ("{who: client}", "text"), ("7", "")],
)
def test_a_wrong_file_is_named(tmp_path: Path, turn: str, words: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"id: x\nwriter: 1\ncentre: c\nlanguage: ru\ntopic: t\nclient_type: rude\nturns:\n- {turn}\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"x\.yaml") as caught:
        read_dialogue(path)
    assert words in str(caught.value)


def test_personal_data_is_marked_at_every_place_where_it_is_spoken(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    turn = '{who: client, text: "Анна, да, Анна.", pii: [{kind: name, text: Анна}]}'
    path.write_text(f"id: x\nwriter: 1\ncentre: c\nlanguage: ru\ntopic: t\nclient_type: rude\nturns:\n- {turn}\n", encoding="utf-8")

    assert read_dialogue(path).turns[0].personal == ("name", "", "name")


def test_dialogues_are_measured_as_calls(tmp_path: Path) -> None:
    references = read_references(write_calls(MEASURING, tmp_path))

    assert len(references) == sum(1 for _ in MEASURING.rglob("*.yaml"))
    for reference in references.values():
        ends = [turn["end_s"] for turn in reference["turns"]]
        assert all(0 <= turn["start_s"] < turn["end_s"] for turn in reference["turns"]) and max(ends) < reference["duration_s"]
        assert set(right_verdicts(reference).values()) <= {"pass", "fail", "na", "unsure"}


def test_a_hold_takes_its_time_and_an_overlap_takes_it_back() -> None:
    script = {
        "id": "x", "centre": "kyiv", "language": "uk", "direction": "inbound", "topic": "other", "client_type": "rude", "disconnect_party": "client",
        "truth": {}, "line": "first", "operator": {}, "started_at": "2024-10-14T09:12:00+02:00",
        "turns": [
            {"who": "operator", "text": "д" * 14}, {"hold": 10, "sound": "silence"}, {"who": "client", "text": "т" * 28},
            {"who": "operator", "text": "н" * 14, "overlap_s": 0.6},
        ],
    }  # fmt: skip

    reference = reference_of(script)

    assert [(t["start_s"], t["end_s"]) for t in reference["turns"]] == [(1.0, 2.0), (12.65, 14.65), (14.4, 15.4)]
    assert reference["holds"] == [{"start_s": 2.35, "end_s": 12.35, "sound": "silence"}]
