"""Results of the steps on recordings of real people: one line per file, with what its text and channels allow to measure.

    python -m tests.benchmarks.real_recordings FOLDER [--json FILE] [--only PART]

FOLDER holds the recordings named in `SOURCES` (those that are missing are left out). Each goes through audio, transcribe, diarize and
turns as a call of a centre that serves its language among others. Prompts, one voice that nobody can give a role, are pooled by language.
"""

from __future__ import annotations

import argparse
import csv
import logging
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from models import private_files
from models.languages.language import words_of
from pipelines import flow
from pipelines.audio import step as audio
from pipelines.core.grouping import by_call
from pipelines.core.records import AudioFacts, Call, Segment, Turn, Word
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from tests.benchmarks.report import arguments, markdown, publish

Said = tuple[str, str]  # role ("" where there is none), text

SHORTEST_S = 4.0  # a shorter recording is padded with silence: a call of less than 3 s is rejected
SILENCE_ABOVE_NOISE_DB = 6.0
SILENT_DB = -55.0


@dataclass(frozen=True, slots=True)
class Source:
    """Recordings of one origin; all that a line of the table says of where they came from."""

    pattern: str
    language: str
    centre: str  # the centre whose languages are the candidates
    who: str
    licence: str
    text: str | None = None  # file with the text, beside the recording


SOURCES = (
    Source("en/Auto_Repairs_49_UTC_{}.wav", "en", "kredo", "AWS live call analytics", "MIT-0"),
    Source("en/commercial_mono.wav", "en", "kredo", "Google Cloud samples", "Apache-2.0"),
    Source("en/two_channel_16k.wav", "en", "kredo", "Google Cloud samples", "Apache-2.0"),
    Source("en/two_people.wav", "en", "kredo", "Google Cloud samples", "Apache-2.0"),
    Source("en/stereo_diarization.wav", "en", "kredo", "faster-whisper tests", "MIT"),
    Source("ru/devasmodeus/*.mp3", "ru", "kredo", "devasmodeus, synthetic", "MIT", "{}.txt"),
    Source("ru/devasmodeus/*.wav", "ru", "kredo", "devasmodeus, synthetic", "MIT", "{}.txt"),
    Source("ru/sample_?.wav", "ru", "kredo", "voicekit-examples", "Apache-2.0"),
    Source("ru/golos_example.wav", "ru", "kredo", "Golos", "Sber public licence"),
    Source("uk/sample_*.wav", "uk", "kyiv", "mimic3 voices, neural", "M-AILABS", "sample.txt"),
    Source("hu/sample.wav", "hu", "motiv", "mimic3 voice, neural", "CC0", "sample.txt"),
    Source("hu/egri_*.wav", "hu", "motiv", "CSS10, read", "CC0"),
    Source("ru/prompts/*.wav", "ru", "kredo", "Asterisk core sounds, ivrvoice.ru", "CC BY 3.0", "transcripts.tsv"),
    Source("uk/prompts/*.wav", "uk", "kyiv", "Asterisk core sounds", "CC BY-SA 4.0", "transcripts.tsv"),
)


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording as a call, and what is known of it."""

    call: Call
    line: str  # the line of the table that it belongs to
    source: Source
    said: tuple[Said, ...] | None  # None: no text; empty: nothing is said in it
    channels_of: str | None = None  # the call whose two tracks this one mixes


@dataclass(slots=True)
class Line:
    """A line of the table: sums over its recordings."""

    file: str
    source: str
    licence: str
    length_s: float = 0.0
    not_graded: int = 0
    words: int = 0
    words_in_silence: int = 0
    reference_words: int | None = None
    errors: int = 0
    speakers: int = 0
    role_words: int = 0  # words whose role is known from the text or the channel
    role_given: int = 0
    role_right: int = 0
    diarization_error: float | None = None
    words_with_role: int = 0
    in_language: int = 0


def recordings(folder: Path, into: Path) -> list[Recording]:
    """Every recording of the folder as a call; `into` receives the two sides of the AWS call put together, and padded prompts."""
    found: list[Recording] = []
    for source in SOURCES:
        if "{}" in source.pattern:
            found += _two_sides(folder, source, into)
            continue
        for path in sorted(folder.glob(source.pattern)):
            pooled = "prompts" in source.pattern
            said = _said(path, source)
            sound = audio.decode(path)
            if pooled and sound.duration_s < SHORTEST_S:
                missing = int((SHORTEST_S - sound.duration_s) * audio.RATE_HZ / 2) + 1
                path = _wav(into / f"{source.language}_{path.name}", np.pad(sound.tracks, ((0, 0), (missing, missing))))
            line = f"{source.language}/prompts" if pooled else str(path.relative_to(folder))
            call = _call(f"{source.language}-{path.stem}{path.suffix.replace('.', '-')}", path, source)
            found.append(Recording(call, line, source, said))
    return found


def run_steps(found: Sequence[Recording], batch: Batch, settings: Settings) -> list[Line]:
    """The table's lines, after every recording went through the steps."""
    batch.write("calls", [r.call for r in found])
    batch.write_rejected("intake", [])
    for step in ("audio", "transcribe", "diarize", "turns"):
        flow.run_step(step, batch, settings)
    facts = {f.call_id: f for f in batch.read("audio")}
    words, turns, segments = (by_call(batch.read(kind)) for kind in ("words", "spoken_turns", "segments"))
    lines: dict[str, Line] = {}
    for r in found:
        line = lines.setdefault(r.line, Line(r.line, r.source.who, r.source.licence))
        i = r.call.call_id
        if i not in facts:
            line.not_graded += 1
            line.length_s += audio.decode(r.call.recording).duration_s
        else:
            _add_sound(line, facts[i], words[i], turns[i])
            line.in_language += sum(w.language == r.source.language for w in words[i])
        if r.said is not None:
            _add_text(line, r.said, turns[i])
        if r.channels_of in facts:
            _add_channels(line, facts[r.channels_of], segments[i], turns[i])
    return list(lines.values())


def table(lines: Sequence[Line]) -> str:
    """The lines as Markdown."""

    def share(of: int, to: int | None) -> str:
        return f"{100 * of / to:.1f}" if to else ""

    head = (
        "file", "source, licence", "length, s", "not graded", "words", "words in silence", "in the right language, %", "WER, %",
        "speakers", "role given, %", "right of given, %", "DER, %",
    )  # fmt: skip
    rows = [
        (
            line.file, f"{line.source}, {line.licence}", f"{line.length_s:.1f}", line.not_graded, line.words, line.words_in_silence,
            share(line.in_language, line.words), share(line.errors, line.reference_words), line.speakers,
            share(line.role_given, line.role_words) if line.role_words else f"({share(line.words_with_role, line.words)})",
            share(line.role_right, line.role_given), "" if line.diarization_error is None else f"{100 * line.diarization_error:.1f}",
        )
        for line in lines
    ]  # fmt: skip
    return markdown(head, rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the figures where asked."""
    private_files.apply_umask()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.real_recordings", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", metavar="PART", help="only the lines whose name holds this")
    arguments(parser)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="callgrade-real-") as temporary:
        settings = Settings.from_environment(warehouse=Path(temporary) / "real.duckdb")
        into = Path(temporary) / "sound"
        into.mkdir()
        found = [r for r in recordings(given.folder, into) if given.only in r.line]
        if not found:
            print(f"No recording of {given.folder} is known; known are {', '.join(s.pattern for s in SOURCES)}.")
            return 2
        lines = run_steps(found, Batch(Path(temporary) / "batch"), settings)
    publish({"real_recordings": [asdict(line) for line in lines]}, table(lines), given.json)
    return 0


def _two_sides(folder: Path, source: Source, into: Path) -> list[Recording]:
    """The two sides of a call as a stereo call, and mixed to one channel."""
    paths = [folder / source.pattern.format(side) for side in ("agent", "caller")]
    if not all(path.exists() for path in paths):
        return []
    sides = [audio.decode(path).tracks[0] for path in paths]
    length = min(len(side) for side in sides)
    tracks = np.stack([side[:length] for side in sides])
    name = source.pattern.format("both")
    calls = [
        _call("aws-stereo", _wav(into / "aws-stereo.wav", tracks), source, 0),
        _call("aws-mono", _wav(into / "aws-mono.wav", tracks.mean(axis=0, keepdims=True)), source),
    ]
    lines = (f"{name}, two channels", f"{name}, mixed to one")
    return [Recording(call, line, source, None, "aws-stereo") for call, line in zip(calls, lines, strict=True)]


def _call(call_id: str, path: Path, source: Source, operator_channel: int | None = None) -> Call:
    return Call(call_id, source.centre, str(path), "", 0, None, operator_channel=operator_channel)


def _wav(path: Path, tracks: audio.Samples) -> Path:
    return audio.write_clip(tracks, 0.0, tracks.shape[1] / audio.RATE_HZ, (), path)


def _said(path: Path, source: Source) -> tuple[Said, ...] | None:
    if source.text is None:
        return None
    text = path.with_name(source.text.format(path.stem))
    if text.suffix == ".tsv":
        with text.open(encoding="utf-8", newline="") as file:
            of = {row["file"]: row["text"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
        said = of.get(path.name)
        return None if said is None else () if re.fullmatch(r"[(\[].*[)\]]", said.strip()) else (("", said),)
    roles = {"Оператор": "operator", "Клиент": "client"}
    lines = [line.partition(": ") for line in text.read_text(encoding="utf-8").splitlines() if line.strip()]
    return tuple((roles[who], rest) if who in roles else ("", who + colon + rest) for who, colon, rest in lines)


def _add_sound(line: Line, facts: AudioFacts, words: Sequence[Word], turns: Sequence[Turn]) -> None:
    line.length_s += facts.duration_s
    line.words += len(words)
    levels = np.array(facts.level_db)
    floor = np.maximum(SILENT_DB, np.percentile(levels, 5, axis=1) + SILENCE_ABOVE_NOISE_DB)
    for word in words:
        first, last = int(word.start_s / facts.level_hop_s), int(word.end_s / facts.level_hop_s) + 1
        line.words_in_silence += bool(levels[word.track][first:last].max(initial=-99.0) < floor[word.track])
    line.speakers = max(line.speakers, len({t.speaker for t in turns}))
    line.words_with_role += sum(len(t.tokens) for t in turns if t.role != "unknown")


def _add_text(line: Line, said: Sequence[Said], turns: Sequence[Turn]) -> None:
    """Word errors, and whose words they are said to be: the words that match the text one to one are compared."""
    import jiwer

    expected = [(word, role) for role, text in said for word in words_of(text)]
    heard = [(word, t.role) for t in turns for word in words_of(t.text)]
    line.reference_words = (line.reference_words or 0) + len(expected)
    if not expected:
        line.errors += len(heard)
        return
    found = jiwer.process_words(" ".join(w for w, _ in expected), " ".join(w for w, _ in heard))
    line.errors += found.substitutions + found.deletions + found.insertions
    for chunk in found.alignments[0]:
        if chunk.type in ("equal", "substitute"):
            for k in range(chunk.ref_end_idx - chunk.ref_start_idx):
                role, given = expected[chunk.ref_start_idx + k][1], heard[chunk.hyp_start_idx + k][1]
                _add_role(line, role, given)


def _add_channels(line: Line, true: AudioFacts, segments: Sequence[Segment], turns: Sequence[Turn]) -> None:
    """Diarization and roles against the channels; the agent is on the first. A word counts where one channel alone speaks."""
    from pyannote.core import Annotation, Timeline
    from pyannote.core import Segment as Span
    from pyannote.metrics.diarization import DiarizationErrorRate

    reference, heard = Annotation(), Annotation()
    for k, i in enumerate(true.speech):
        reference[Span(i.start_s, i.end_s), k] = i.track
    for k, s in enumerate(segments):
        heard[Span(s.start_s, s.end_s), k] = s.speaker
    whole = Timeline([Span(0, true.duration_s)])
    line.diarization_error = float(DiarizationErrorRate(collar=0.25)(reference, heard, uem=whole))
    for turn in turns:
        for token in turn.tokens:
            middle = (token.start_s + token.end_s) / 2
            speaking = {i.track for i in true.speech if i.start_s <= middle <= i.end_s}
            if len(speaking) == 1:
                _add_role(line, "client" if 1 in speaking else "operator", turn.role)


def _add_role(line: Line, true: str, given: str) -> None:
    if true:
        line.role_words += 1
        line.role_given += given != "unknown"
        line.role_right += given == true


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    raise SystemExit(main())
