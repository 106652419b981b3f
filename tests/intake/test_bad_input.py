from __future__ import annotations

import shutil
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from pipelines.audio import step as audio
from pipelines.core.records import Rejection
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.intake.folder import Intake, read_folder
from tests.intake.bad_input import CALLS, GRADED, BadFolder, make_bad_folder

GOOD = [CALLS / "audio" / name for name in ("irkutsk-ru-003.ogg", "odesa-uk-009.mp3")]


def through_audio(intake: Intake, folder: Path) -> tuple[list[str], dict[str, Rejection]]:
    """Run intake's result through the audio step: the calls that go on, and what was rejected by id."""
    batch = Batch(folder / "batch")
    batch.write("calls", intake.calls)
    batch.write_rejected("intake", intake.rejected)
    audio.run(batch, Settings(warehouse=folder / "w.duckdb"))
    rejected = batch.rejected()
    assert len({row.call_id for row in rejected}) == len(rejected)
    return [call.call_id for call in batch.calls()], {row.call_id: row for row in rejected}


def check(made: BadFolder, going_on: list[str], rejected: dict[str, Rejection]) -> None:
    """Every expected outcome is there, and nothing else is."""
    wrong = []
    seen = set()
    for pattern, outcome in made.expected.items():
        found = [i for i in [*going_on, *rejected] if fnmatchcase(i, pattern)]
        seen.update(found)
        if len(found) != 1:
            wrong.append(f"{pattern}: found {found}")
        elif outcome.status == GRADED:
            wrong += [f"{pattern}: rejected, {rejected[found[0]].reason}"] if found[0] in rejected else []
        elif found[0] not in rejected:
            wrong.append(f"{pattern}: not rejected")
        else:
            row = rejected[found[0]]
            if (row.status, row.step) != (outcome.status, outcome.step) or not all(word in row.reason for word in outcome.words):
                wrong.append(f"{pattern}: {row.status} by {row.step}, {row.reason}")
    wrong += [f"{i}: not expected" for i in {*going_on, *rejected} - seen]
    assert not wrong, "\n".join(wrong)


def test_each_bad_thing_is_rejected_with_its_reason_and_the_good_go_on(tmp_path: Path) -> None:
    made = make_bad_folder(tmp_path / "received", GOOD)
    assert sum(o.status != GRADED for o in made.expected.values()) >= 15

    check(made, *through_audio(read_folder(made.path), tmp_path))


@pytest.mark.parametrize(("encoding", "delimiter"), [("cp1251", ";"), ("utf-16", "\t")])
def test_the_encoding_of_the_log_changes_nothing(tmp_path: Path, encoding: str, delimiter: str) -> None:
    plain = read_folder(make_bad_folder(tmp_path / "received", GOOD[:1]).path)
    shutil.rmtree(tmp_path / "received")
    other = read_folder(make_bad_folder(tmp_path / "received", GOOD[:1], encoding, delimiter).path)

    assert (other.calls, other.rejected) == (plain.calls, plain.rejected)
    assert any("проверка" in call.extra_json for call in other.calls)


def test_the_same_folder_gives_the_same_ids_and_reasons_again(tmp_path: Path) -> None:
    made = make_bad_folder(tmp_path / "received", GOOD[:1])

    first, second = read_folder(made.path), read_folder(made.path)

    assert (first.calls, first.rejected) == (second.calls, second.rejected)


def test_a_wrong_operator_channel_costs_a_note_and_not_the_call(tmp_path: Path) -> None:
    made = make_bad_folder(tmp_path / "received", GOOD[:1])

    intake = read_folder(made.path)

    assert next(c for c in intake.calls if c.call_id == "channel-seven").operator_channel is None
    assert any("operator_channel '7'" in note for note in intake.notes)
