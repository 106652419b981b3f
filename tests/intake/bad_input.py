"""Creates a folder with every kind of bad input that a centre may send, beside good calls, and the expected outcome of each."""

from __future__ import annotations

import csv
import random
import shutil
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

CALLS = Path(__file__).parents[1] / "calls"
COLUMNS = (
    "call_id", "centre", "recording", "started_at", "direction", "line", "queue", "ivr_path", "operator_id", "operator_tenure", "client_ref",
    "wait_s", "disconnect_party", "operator_channel", "language", "примечание",
)  # fmt: skip
RATE_HZ = 8000
GRADED = "graded"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must become of one thing in the folder."""

    status: str  # graded | quarantined | unscoreable
    words: tuple[str, ...] = ()  # the reason must contain them all
    step: str = ""  # intake | audio: where it must be rejected


@dataclass(slots=True)
class BadFolder:
    """The folder that was made. `expected` maps every call id to its outcome; an id that ends in * stands for one with a hash at its end."""

    path: Path
    expected: dict[str, Outcome] = field(default_factory=dict)
    rows: list[list[str]] = field(default_factory=list)

    def add(self, call_id: str, recording: str, outcome: Outcome, **values: str) -> None:
        """A row of the log, plain but for `values`, and what must become of it."""
        self.expected.setdefault(call_id, outcome)
        row = {
            "call_id": call_id, "centre": "irkutsk", "recording": recording, "started_at": "2024-10-21T08:47:00+08:00", "direction": "inbound",
            "operator_id": "op-1", "disconnect_party": "client", "примечание": "проверка",
        }  # fmt: skip
        self.rows.append([(row | values).get(column, "") for column in COLUMNS])


def make_bad_folder(path: Path, good: Sequence[Path], encoding: str = "utf-8", delimiter: str = ",") -> BadFolder:
    """A folder at `path` with the good recordings, named as in tests/calls/calls.csv, more than twenty kinds of bad input, and its log."""
    path.mkdir(parents=True, exist_ok=True)
    made = BadFolder(path)
    _good_calls(made, good)
    _odd_but_good(made)
    _unreadable_sound(made)
    _nothing_said(made)
    _confused_files(made)
    _broken_rows(made)
    with (path / "calls.csv").open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([COLUMNS, *made.rows])
    return made


def _row_of(stem: str) -> dict[str, str]:
    with (CALLS / "calls.csv").open(encoding="utf-8") as file:
        return next(row for row in csv.DictReader(file) if row["call_id"] == stem)


def _good_calls(made: BadFolder, good: Sequence[Path]) -> None:
    for file in good:
        shutil.copy(file, made.path / file.name)
        made.add(**_row_of(file.stem), outcome=Outcome(GRADED))
    (made.path / "notes.txt").write_text("other files are not touched")
    (made.path / "reference.json").write_text("{}")


def _odd_but_good(made: BadFolder) -> None:
    """Strange, but every one can be judged."""
    for call_id, source, changed in (
        ("wrong-extension.wav", "odesa-uk-006.ogg", {}),
        ("channel-seven.ogg", "irkutsk-ru-001.ogg", {"operator_channel": "7"}),
        ("channel-swapped.mp3", "kyiv-uk-008.mp3", {"operator_channel": "1"}),
    ):
        shutil.copy(CALLS / "audio" / source, made.path / call_id)
        row = _row_of(Path(source).stem) | {"call_id": Path(call_id).stem, "recording": call_id} | changed
        made.add(**row, outcome=Outcome(GRADED))


def _unreadable_sound(made: BadFolder) -> None:
    bad = made.path / "bad"
    bad.mkdir()
    (bad / "empty.wav").touch()
    made.add("empty-file", "bad/empty.wav", Outcome("quarantined", ("empty.wav", "empty"), "intake"))
    (bad / "letter.wav").write_text("Уважаемые коллеги, запись во вложении.\n" * 40, encoding="utf-8")
    made.add("text-as-wav", "letter.wav", Outcome("quarantined", ("letter.wav", "not audio"), "audio"))
    for source in ("odesa-uk-005.wav", "kyiv-uk-001.ogg", "motiv-ru-005.mp3"):
        name = f"cut-{Path(source).suffix[1:]}"
        content = (CALLS / "audio" / source).read_bytes()
        file = bad / f"{name}{Path(source).suffix}"
        file.write_bytes(content[: len(content) // 2 - 7])
        made.add(name, file.name, Outcome("quarantined", (file.name, "cut off"), "audio"))
    (bad / "random.mp3").write_bytes(random.Random(7).randbytes(40_000))
    made.add("random-bytes", "random.mp3", Outcome("quarantined", ("random.mp3",), "audio"))
    _write_wav(bad / "three.wav", np.stack([_speechlike(12.0)] * 3))
    made.add("three-channels", "three.wav", Outcome("quarantined", ("three.wav", "3 channels"), "audio"))
    _write_wav(bad / "header.wav", np.zeros((1, 0)))
    made.add("header-only", "header.wav", Outcome("quarantined", ("header.wav", "no sound"), "audio"))
    _write_wav(bad / "huge.wav", _speechlike(8.0)[None])
    content = bytearray((bad / "huge.wav").read_bytes())
    content[4:8], content[40:44] = (2_000_000_036).to_bytes(4, "little"), (2_000_000_000).to_bytes(4, "little")
    (bad / "huge.wav").write_bytes(content)
    made.add("huge-header", "huge.wav", Outcome("quarantined", ("huge.wav", "cut off"), "audio"))
    (bad / "folder.wav").mkdir()
    made.add("folder-as-wav", "bad/folder.wav", Outcome("quarantined", ("folder.wav", "is a folder"), "intake"))


def _nothing_said(made: BadFolder) -> None:
    quiet = made.path / "quiet"
    quiet.mkdir()
    _write_wav(quiet / "silent.wav", np.zeros((1, 12 * RATE_HZ)))
    made.add("silent", "silent.wav", Outcome("unscoreable", ("silent",), "audio"))
    _write_wav(quiet / "music.wav", _music(20.0)[None])
    made.add("music-only", "music.wav", Outcome("unscoreable", ("Nobody speaks",), "audio"))
    _write_wav(quiet / "noise.wav", 0.05 * np.random.default_rng(3).standard_normal((1, 15 * RATE_HZ)))
    made.add("noise-only", "noise.wav", Outcome("unscoreable", ("Nobody speaks",), "audio"))
    _write_wav(quiet / "click.wav", _speechlike(0.4)[None])
    made.add("too-short", "click.wav", Outcome("unscoreable", ("lasts 0.4 s",), "audio"))


def _confused_files(made: BadFolder) -> None:
    """Sound recordings with a log that does not say whose they are."""
    for n, name in enumerate(("one-id-a", "one-id-b", "two-ids", "orphan", "a/twice-there", "b/twice-there"), start=1):
        (made.path / name).parent.mkdir(exist_ok=True)
        _write_wav(made.path / f"{name}.wav", _speechlike(4.0 + n)[None])
    made.add("one-id", "one-id-a.wav", Outcome("unscoreable", ("Nobody speaks",), "audio"))
    made.add("one-id", "one-id-b.wav", Outcome("unscoreable"))
    made.expected["one-id~*"] = Outcome("quarantined", ("one-id", "another recording"), "intake")
    made.add("two-ids-first", "two-ids.wav", Outcome("unscoreable", ("Nobody speaks",), "audio"))
    made.add("two-ids-second", "two-ids.wav", Outcome("quarantined", ("same as that of call two-ids-first",), "intake"))
    made.expected["no-row:orphan.wav~*"] = Outcome("quarantined", ("orphan.wav", "no row"), "intake")
    made.add("two-depths", "twice-there.wav", Outcome("quarantined", ("a/twice-there.wav", "b/twice-there.wav"), "intake"))
    made.add("no-recording", "nowhere.wav", Outcome("quarantined", ("nowhere.wav", "not in the folder"), "intake"))
    made.add("outside-up", "../../etc/passwd", Outcome("quarantined", ("outside the folder",), "intake"))
    made.add("outside-root", "/etc/passwd", Outcome("quarantined", ("outside the folder",), "intake"))
    outside = made.path.parent / f"{made.path.name}-outside.wav"
    _write_wav(outside, _speechlike(11.0)[None])
    (made.path / "link.wav").symlink_to(outside)
    made.add("link-out", "link.wav", Outcome("quarantined", ("link.wav", "link out of the folder"), "intake"))


def _broken_rows(made: BadFolder) -> None:
    """Rows that cannot be calls; the recordings that they name are not there, which must not be the reason given."""
    made.add("bad-date", "x1.wav", Outcome("quarantined", ("started_at", "31.31.2024 25:00"), "intake"), started_at="31.31.2024 25:00")
    made.add("bad-centre", "x2.wav", Outcome("quarantined", ("irkutks", "did you mean irkutsk"), "intake"), centre="irkutks")
    made.add("repeated", "empty.wav", Outcome("quarantined", ("empty",), "intake"))
    made.rows.append(made.rows[-1])
    made.expected["repeated~calls.csv:*"] = Outcome("quarantined", ("repeats line",), "intake")
    made.add("", "x3.wav", Outcome("quarantined"))
    made.expected[f"calls.csv:{len(made.rows) + 1}~*"] = Outcome("quarantined", ("call_id is empty",), "intake")
    del made.expected[""]
    made.rows.append(["too-few", "irkutsk", "x4.wav"])
    made.expected["too-few"] = Outcome("quarantined", ("3 values", "16 columns"), "intake")
    made.add("too-many", "x5.wav", Outcome("quarantined", ("17 values", "16 columns"), "intake"))
    made.rows[-1].append("stray")


def _speechlike(length_s: float) -> npt.NDArray[np.float64]:
    """Something that decodes well; no case here needs it to be understood."""
    t = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    return np.asarray(0.2 * np.sin(2 * np.pi * 220 * t) * (np.sin(2 * np.pi * 2.5 * t) > 0) + 0.001 * length_s * np.sin(2 * np.pi * 50 * t))


def _music(length_s: float) -> npt.NDArray[np.float64]:
    """Chords that change every two seconds, with a tremolo and an octave above, as a hold tune has them."""
    t = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    sound = np.zeros_like(t)
    for n in range(int(length_s // 2)):
        at = slice(n * 2 * RATE_HZ, (n + 1) * 2 * RATE_HZ)
        root = (261.6, 349.2, 392.0, 220.0)[n % 4]
        for ratio, level in ((1.0, 1.0), (1.26, 0.7), (1.5, 0.7), (2.0, 0.4)):
            sound[at] += level * np.sin(2 * np.pi * root * ratio * t[at])
    return np.asarray(0.08 * sound * (1 + 0.3 * np.sin(2 * np.pi * 5 * t)))


def _write_wav(path: Path, channels: npt.NDArray[np.float64]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels.shape[0])
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((np.clip(channels, -1, 1).T * 32767).astype("<i2").tobytes())
