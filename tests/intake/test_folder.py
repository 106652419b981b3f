from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.core.errors import MisconfiguredError
from pipelines.intake.folder import Intake, read_folder

HEADER = "call_id,centre,recording,started_at"


def folder(path: Path, files: dict[str, bytes], rows: list[str] | None = None) -> Path:
    """A folder with files of these contents; each row is `call_id,recording`."""
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    if rows is not None:
        lines = [HEADER, *(f"{r.split(',')[0]},irkutsk,{r.split(',')[1]},2024-10-21 08:47" for r in rows)]
        (path / "calls.csv").write_text("\n".join(lines), encoding="utf-8")
    return path


def accepted(intake: Intake) -> dict[str, str]:
    """Call id → content of its recording."""
    return {c.call_id: Path(c.recording).read_text() for c in intake.calls}


def reasons(intake: Intake) -> dict[str, str]:
    """Rejected id without its hash → reason."""
    return {p.call_id: p.reason for p in intake.rejected}


@pytest.mark.parametrize(
    ("named", "there"),
    [
        ("x.wav", "x.wav"),
        ("x.wav", "a/b/x.wav"),
        ("a/x.wav", "a/x.wav"),
        ("./a//x.wav", "a/x.wav"),
        ("a\\x.wav", "a/x.wav"),
        ("X.WAV", "a/x.wav"),
        ("monitor/2024/x.wav", "x.wav"),
        ("x", "x"),
        ("x.strange", "deep/x.strange"),
        (unicodedata.normalize("NFC", "йё.wav"), unicodedata.normalize("NFD", "йё.wav")),
        (unicodedata.normalize("NFD", "ő.wav"), unicodedata.normalize("NFC", "ő.wav")),
    ],
)
def test_a_recording_is_found_by_path_or_name(tmp_path: Path, named: str, there: str) -> None:
    intake = read_folder(folder(tmp_path, {there: b"sound"}, [f"c-1,{named}"]))

    assert accepted(intake) == {"c-1": "sound"}
    assert not intake.rejected
    assert intake.calls[0].size_bytes == 5
    assert len(intake.calls[0].recording_sha256) == 64


def test_a_path_tells_files_of_one_name_apart(tmp_path: Path) -> None:
    files = {"a/x.wav": b"1", "b/x.wav": b"2", "x.wav": b"3"}

    intake = read_folder(folder(tmp_path, files, ["c-1,a/x.wav", "c-2,b/x.wav", "c-3,x.wav"]))

    assert accepted(intake) == {"c-1": "1", "c-2": "2", "c-3": "3"}


def test_a_name_at_two_depths_is_rejected_unless_the_bytes_are_the_same(tmp_path: Path) -> None:
    files = {"a/x.wav": b"1", "b/c/x.wav": b"2", "a/y.wav": b"3", "b/y.wav": b"3"}

    intake = read_folder(folder(tmp_path, files, ["c-1,x.wav", "c-2,y.wav"]))

    assert accepted(intake) == {"c-2": "3"}
    assert list(reasons(intake)) == ["c-1"]
    assert "a/x.wav, b/c/x.wav" in reasons(intake)["c-1"]


@pytest.mark.parametrize("named", ["../x.wav", "/etc/passwd", "a/../../x.wav", "C:\\x.wav", "~/x.wav", "\\\\server\\x.wav"])
def test_a_recording_outside_the_folder_is_never_read(tmp_path: Path, named: str) -> None:
    (tmp_path / "x.wav").write_bytes(b"private")

    intake = read_folder(folder(tmp_path / "in", {}, [f"c-1,{named}"]))

    assert "outside the folder" in reasons(intake)["c-1"]
    assert not intake.calls


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside = folder(tmp_path / "out", {"x.wav": b"private", "y.wav": b"too"})
    inside = folder(tmp_path / "in", {"z.wav": b"ours"}, ["c-1,x.wav", "c-2,linked/y.wav", "c-3,again.wav", "c-4,gone.wav"])
    (inside / "x.wav").symlink_to(outside / "x.wav")
    (inside / "linked").symlink_to(outside)
    (inside / "again.wav").symlink_to(inside / "z.wav")
    (inside / "gone.wav").symlink_to(inside / "nothing.wav")

    intake = read_folder(inside)

    assert accepted(intake) == {"c-3": "ours"}
    why = reasons(intake)
    assert "link out of the folder" in why["c-1"]
    assert "not in the folder" in why["c-2"]
    assert "cannot be read" in why["c-4"]
    assert any(i.startswith("no-row:z.wav") and "copy of the recording of call c-3" in r for i, r in why.items())


def test_a_good_row_wins_over_a_bad_one_with_its_id(tmp_path: Path) -> None:
    intake = read_folder(folder(tmp_path, {"x.wav": b"1"}, ["c-1,gone.wav", "c-1,x.wav"]))

    assert accepted(intake) == {"c-1": "1"}
    assert list(reasons(intake)) == ["c-1~calls.csv:2"]


def test_the_first_row_of_an_id_and_of_a_recording_stays(tmp_path: Path) -> None:
    rows = ["c-1,x.wav", "c-1,y.wav", "c-2,x.wav", "c-1,x.wav", "c-1,y.wav"]

    intake = read_folder(folder(tmp_path, {"x.wav": b"1", "y.wav": b"2"}, rows))

    assert accepted(intake) == {"c-1": "1"}
    why = list(reasons(intake).items())
    assert [i.split("~")[0] for i, _ in why] == ["c-1", "c-2", "c-1", "c-1"]
    assert "line 2" in why[0][1] and "another recording" in why[0][1]
    assert "same as that of call c-1" in why[1][1]
    assert "repeats line 2" in why[2][1] and "repeats line 3" in why[3][1]
    assert intake.rejected[0].recording_sha256 and intake.rejected[0].call_id == f"c-1~{intake.rejected[0].recording_sha256[:8]}"


def test_other_files_and_our_own_output_are_not_counted(tmp_path: Path) -> None:
    files = {
        "x.wav": b"1", "notes.txt": b"n", "x.json": b"{}", "x.rttm": b"", ".hidden.wav": b"h", "._x.wav": b"mac", ".git/y.wav": b"g",
        "dev.callgrade/clips/c.ogg": b"clip", "x.wav.part": b"half",
    }  # fmt: skip

    intake = read_folder(folder(tmp_path, files, ["c-1,x.wav"]))

    assert accepted(intake) == {"c-1": "1"}
    assert not intake.rejected


def test_a_recording_without_a_row_is_rejected_even_when_a_row_is_broken(tmp_path: Path) -> None:
    path = folder(tmp_path, {"x.wav": b"1", "y.MP3": b"2"})
    (path / "calls.csv").write_text(f"{HEADER}\nc-1,irkutsk,x.wav,never\n")

    intake = read_folder(path)

    assert not intake.calls
    why = reasons(intake)
    assert "started_at" in why["c-1"] and len(why) == 2
    assert any(i.startswith("no-row:y.MP3~") and "add its row to calls.csv" in r for i, r in why.items())


def test_what_cannot_be_opened_is_rejected(tmp_path: Path) -> None:
    path = folder(tmp_path, {"empty.wav": b"", "dir.wav/inside.txt": b""}, ["c-1,empty.wav", "c-2,dir.wav", "c-3,pipe.wav"])
    os.mkfifo(path / "pipe.wav")

    why = reasons(read_folder(path))

    assert "empty" in why["c-1"] and "is a folder" in why["c-2"] and "not a regular file" in why["c-3"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_rejected(tmp_path: Path) -> None:
    path = folder(tmp_path, {"x.wav": b"1"}, ["c-1,x.wav"])
    (path / "x.wav").chmod(0)

    assert "permissions" in reasons(read_folder(path))["c-1"]


def test_a_name_that_is_not_utf8_is_rejected_and_can_be_stored(tmp_path: Path) -> None:
    path = folder(tmp_path, {}, [])
    (path / os.fsdecode("звонок.wav".encode("cp1251"))).write_bytes(b"1")

    (row,) = read_folder(path).rejected

    assert "not UTF-8" in row.reason
    row.call_id.encode()
    (row.recording or "").encode()


def test_dangerous_call_ids_are_only_ids(tmp_path: Path) -> None:
    intake = read_folder(folder(tmp_path, {"x.wav": b"1", "y.wav": b"2"}, ["../../etc/passwd,x.wav", "<script>&'\",y.wav"]))

    assert len(intake.calls) + len(intake.rejected) == 2


def test_an_id_that_no_address_can_hold_is_refused(tmp_path: Path) -> None:
    """Browsers resolve these, quoted or not: the page of such a call could never be opened."""
    path = folder(tmp_path, {"x.wav": b"1", "y.wav": b"2", "z.wav": b"3"}, ["..,x.wav", ".,y.wav", "...,z.wav"])
    intake = read_folder(path)
    assert accepted(intake) == {"...": "3"}
    assert len(intake.rejected) == 2 and all("address of a page" in reason for reason in reasons(intake).values())


def test_an_operator_id_that_no_address_can_hold_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, {"x.wav": b"1"})
    (path / "calls.csv").write_text(f"{HEADER},operator_id\nc-1,irkutsk,x.wav,2024-10-21 08:47,..\n", encoding="utf-8")
    (row,) = read_folder(path).rejected
    assert "operator_id '..'" in row.reason


def test_without_a_log_and_a_centre_recordings_are_graded_by_the_general_profile(tmp_path: Path) -> None:
    intake = read_folder(folder(tmp_path, {"a.wav": b"1"}))
    assert [(c.call_id, c.centre_id) for c in intake.calls] == [("a", "general")]
    assert any("profile general (--centre names another)" in note for note in intake.notes)


def test_a_log_without_centres_is_graded_by_the_general_profile(tmp_path: Path) -> None:
    path = folder(tmp_path, {"x.wav": b"1"})
    (path / "calls.csv").write_text("call_id,recording\nc-1,x.wav\n", encoding="utf-8")
    intake = read_folder(path)
    assert [(c.call_id, c.centre_id) for c in intake.calls] == [("c-1", "general")]
    assert any("no column centre" in note for note in intake.notes)


def test_without_a_log_names_become_ids(tmp_path: Path) -> None:
    path = folder(tmp_path, {"a.wav": b"1", "b/c.mp3": b"2", "d/c.ogg": b"3", "e.wav": b"1", "f.wav": b"", "note.txt": b""})

    intake = read_folder(path, centre="kyiv")

    assert accepted(intake) == {"a": "1", "b/c.mp3": "2", "d/c.ogg": "3"}
    assert all(c.centre_id == "kyiv" and c.started_at is None for c in intake.calls)
    assert "same as that of call a" in reasons(intake)["e"] and "empty" in reasons(intake)["f"]


def test_a_log_elsewhere_is_taken_with_the_folder_at_hand(tmp_path: Path) -> None:
    path = folder(tmp_path / "in", {"x.wav": b"1"})
    log = folder(tmp_path / "logs", {}, ["c-1,x.wav"]) / "calls.csv"

    assert accepted(read_folder(path, log)) == {"c-1": "1"}


@pytest.mark.parametrize(
    ("make", "centre", "words"),
    [
        (lambda p: p / "none", None, "no readable folder"),
        (lambda p: folder(p / "in", {"day/calls.csv": b"x"}), None, "but there is .*day/calls.csv"),
        (lambda p: folder(p / "in", {}), "kyyiv", "did you mean kyiv"),
    ],
)
def test_a_wrong_folder_or_centre_is_reported_with_what_to_do(tmp_path: Path, make: object, centre: str | None, words: str) -> None:
    with pytest.raises(MisconfiguredError, match=words):
        read_folder(make(tmp_path), centre=centre)  # type: ignore[operator]


_names = st.sampled_from(["x.wav", "X.wav", "a/x.wav", "b/x.wav", "y.ogg", "z", "", "..", "a", "calls.csv", "/x.wav"])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(_names.filter(lambda n: n not in ("", "..", "a", "calls.csv", "/x.wav")), st.binary(max_size=2)),
    rows=st.lists(st.tuples(st.sampled_from(["c-1", "c-2", "c-3", "", "calls.csv:2"]), _names), max_size=8),
)
def test_every_row_and_recording_is_accounted_for_once(
    files: dict[str, bytes], rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = folder(tmp_path_factory.mktemp("in"), files, [f"{i},{name}" for i, name in rows])

    intake = read_folder(path)

    ids = [c.call_id for c in intake.calls] + [p.call_id for p in intake.rejected]
    assert len(ids) == len(set(ids))
    orphans = [p for p in intake.rejected if p.call_id.startswith("no-row:")]
    assert len(ids) - len(orphans) == len(rows)
    assert len({c.recording_sha256 for c in intake.calls}) == len(intake.calls)
    assert read_folder(path) == intake
