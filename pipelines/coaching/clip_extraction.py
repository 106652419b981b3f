"""Coaching clips: moments worth listening to again, cut with context, personal data beeped.

Good examples and moments to improve are selected from decided criteria of the published copy. A clip is an Ogg file with a JSON sidecar of
the same name; its id is derived from its content, so the same calls and rules give the same clips and a second run cuts nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Literal

from models import private_files
from models.cores import on_every_core
from pipelines.audio import step as audio
from pipelines.centres.profile import load_centre
from pipelines.core import staging
from pipelines.core.errors import BadRecordingError, MisconfiguredError
from pipelines.core.intervals import Span, union
from pipelines.core.profile_files import centre_ids
from pipelines.core.published import Published, Row
from pipelines.core.records import Clip
from pipelines.core.settings import Settings, now
from pipelines.warehouse import publications

log = logging.getLogger("callgrade")

CONTEXT_S = 4.0  # played before and after the evidence, then extended to turn boundaries
SNAP_S = 6.0  # how much a clip may grow to reach a turn boundary
LONGEST_EVIDENCE_S = 30.0  # a longer span (a whole call without a farewell) shows nothing in particular
LEAST_CONFIDENCE = 0.7
PER_CALL = 2  # clips of one kind from one call, so that one call does not dominate
PER_CRITERION = 5  # clips of one kind for one criterion, centre and month
BEEP_MARGIN_S = 0.15  # word times are not exact to the syllable

# The most instructive criteria first, when a call has more moments than its limit; a centre's own criteria are in the middle.
_TEACHES_MOST = ("abuse_procedure", "empathy_shown", "no_forbidden_words", "redirected", "night_rule", "hold_announced", "solution_given")
_TEACHES_LEAST = (
    "client_identified",
    "self_service_offered",
    "callback_reason",
    "greeting",
    "anything_else",
    "farewell",
    "operator_named",
    "company_named",
)


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A clip to be cut: its row, the intervals to beep (seconds from the start of the call), and its recording."""

    clip: Clip
    beeps: tuple[Span, ...]
    recording_sha256: str | None = None


def cut(published: Published, settings: Settings, recordings: Mapping[str, Path], *, only_touched: bool = False) -> list[Clip]:
    """Cut the clips that the warehouse suggests, and return the rows of those that exist.

    `recordings` maps call ids to audio files; a clip whose recording is missing is kept when it was cut before and left out otherwise.
    The rows are written to `clips.parquet` beside the warehouse, from where publishing takes them into the view coaching_clips. With
    `only_touched` the clips of months in which no call is about to be published stay unchanged, unless the rules changed or a file is
    missing.
    """
    months, kept = _months_to_plan(published, settings) if only_touched else (None, [])
    planned = plan(published, settings.retention_days, now(), months)
    private_files.make_folder(settings.clips)
    of_calls = [list(group) for _, group in groupby(planned, key=lambda wanted: wanted.clip.call_id)]
    clips: list[Clip] = []
    cut_of_calls = on_every_core(lambda wanted: _cut_missing(wanted, settings, recordings), of_calls)
    for wanted, found in zip(of_calls, cut_of_calls, strict=True):
        clips += found
        log.info("clips %d/%d %s", len(clips), len(planned), wanted[0].clip.call_id)
    missing = _months_of(published, {wanted.clip.call_id for wanted in planned} - {clip.call_id for clip in clips})
    clips = sorted([*clips, *kept], key=lambda clip: (clip.call_id, clip.start_s, clip.criterion_id))
    staging.write_records(settings.site / "clips.parquet", Clip, clips)
    note = {
        "rules": _rules(settings),
        "publication": publications.next_or_last(published),
        "months_to_plan_again": sorted(set(missing.values())),
    }
    staging.write_whole(settings.site / "clips.json", json.dumps(note).encode("utf-8"))
    return clips


def _months_to_plan(published: Published, settings: Settings) -> tuple[list[str] | None, list[Clip]]:
    """The centre months whose clips may change, and the clips of all other months; None for all months."""
    rows = settings.site / "clips.parquet"
    try:
        note = json.loads((settings.site / "clips.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None, []
    if note.get("rules") != _rules(settings) or not staging.is_whole(rows):
        return None, []
    clips = [clip for clip in staging.read_records(rows, Clip) if clip.expires_at > now()]
    touched = publications.months_since(published, note["publication"])
    month_of = _months_of(published, {clip.call_id for clip in clips})
    touched |= {month_of[clip.call_id] for clip in clips if clip.call_id in month_of and not _is_cut(settings.site, clip)}
    touched |= set(note["months_to_plan_again"])
    return sorted(touched), [clip for clip in clips if clip.call_id in month_of and month_of[clip.call_id] not in touched]


def _months_of(published: Published, ids: Iterable[str]) -> dict[str, str]:
    """The centre and month of each graded call among these."""
    sql = f"select call_id, {publications.CENTRE_MONTH.format('started_local')} as centre_month from calls where status = 'graded' and call_id in (select unnest(?))"
    return {row["call_id"]: row["centre_month"] for row in published.rows(sql, sorted(ids))}


def _rules(settings: Settings) -> str:
    """A text that changes when the same calls would give other clips."""
    given = json.dumps([_not_worthy(), settings.retention_days])
    return hashlib.sha256(Path(__file__).read_bytes() + given.encode("utf-8")).hexdigest()


def _cut_missing(planned: Sequence[PlannedClip], settings: Settings, recordings: Mapping[str, Path]) -> list[Clip]:
    """Cut the missing clips of one call and return all that exist; its recording is read once.

    Nothing is cut from a recording other than the graded one: the beeps would be at the wrong times.
    """
    site = settings.site
    missing = [wanted for wanted in planned if not _is_cut(site, wanted.clip)]
    if missing:
        call_id = missing[0].clip.call_id
        recording = recordings.get(call_id)
        if recording is None or not recording.exists():
            log.info("clips: the recording of %s is missing, %d not cut", call_id, len(missing))
        else:
            try:
                sound = audio.channels(recording, missing[0].recording_sha256, settings.stage)
                for wanted in missing:
                    _cut(site, wanted, sound)
            except BadRecordingError as error:
                log.warning("clips of %s: %s", call_id, error.reason)
    existing = [wanted for wanted in planned if _is_cut(site, wanted.clip)]
    for wanted in existing:
        _write_side_car(site, wanted)
    return [wanted.clip for wanted in existing]


def remove_others(settings: Settings, clips: Iterable[Clip]) -> None:
    """Remove the files of all other clips: of erased calls, expired ones, changed rules, and unfinished ones of a killed run."""
    keep = {clip.clip_id for clip in clips}
    for file in settings.clips.iterdir():
        if file.name.startswith(".") or (file.suffix in (".ogg", ".json") and file.stem not in keep):
            file.unlink(missing_ok=True)


def plan(published: Published, retention_days: int, at: datetime, months: Sequence[str] | None = None) -> list[PlannedClip]:
    """The moments worth a clip, by call and time: decided points with short evidence, balanced over calls and criteria.

    Clips that would have expired at the time `at` are left out, and with `months` those of other centre months. Source: criterion_results,
    evaluations, turns and personal_data.
    """
    if months is not None and not months:
        return []
    moments = published.rows(
        f"""
        with moments as (
            select r.call_id, r.criterion_id, r.quote, r.start_s, r.end_s, r.confidence, c.duration_s, c.recording_sha256,
                   if(r.verdict = 'pass', 'good_example', 'to_improve') as kind, e.evaluated_at,
                   {publications.CENTRE_MONTH.format("c.started_local")} as centre_month,
                   coalesce(list_position(?, r.criterion_id), if(list_contains(?, r.criterion_id), 100, 50)) as teaching
            from criterion_results r
            join calls c using (call_id)
            join (select call_id, max(evaluated_at) as evaluated_at from evaluations group by call_id) e using (call_id)
            where c.status = 'graded' and c.medium = 'recording' and e.evaluated_at is not null and r.verdict in ('pass', 'fail') and not list_contains(?, c.centre_id || '/' || r.criterion_id) and r.confidence >= ? and r.end_s > r.start_s and r.end_s - r.start_s <= ?
              and (r.verdict = 'fail' or r.quote is not null) and (? or centre_month in (select unnest(?)))
              and (r.judge = 'human' or not exists (
                  select 1 from criterion_results as h where h.call_id = r.call_id and h.criterion_id = r.criterion_id and h.judge = 'human'
              ))
            qualify row_number() over (partition by r.call_id, r.criterion_id order by r.judge, r.start_s) = 1
        ), few_per_call as (
            select * from moments
            qualify row_number() over (partition by call_id, kind order by teaching, confidence desc, criterion_id) <= ?
        )
        select * from few_per_call
        qualify row_number() over (partition by centre_month, criterion_id, kind order by confidence desc, call_id) <= ?
        order by call_id, start_s, criterion_id
        """,
        list(_TEACHES_MOST), list(_TEACHES_LEAST), _not_worthy(), LEAST_CONFIDENCE, LONGEST_EVIDENCE_S,
        months is None, list(months or []), PER_CALL, PER_CRITERION,
    )  # fmt: skip
    fresh = [m for m in moments if m["evaluated_at"] + timedelta(days=retention_days) > at]
    ids = sorted({m["call_id"] for m in fresh})
    turns, personal = spans_of_calls(published, "turns", ids), spans_of_calls(published, "personal_data", ids)
    return [_planned(m, turns[m["call_id"]], personal[m["call_id"]], retention_days) for m in fresh]


def spans_of_calls(published: Published, view: str, call_ids: Sequence[str]) -> dict[str, list[Span]]:
    """The intervals of each of these calls with a row of a view, in order: speech, or personal data."""
    spans: dict[str, list[Span]] = {call_id: [] for call_id in call_ids}
    for row in published.of_calls(view, call_ids, "call_id, start_s, end_s", "call_id, start_s, end_s"):
        spans[row["call_id"]].append((row["start_s"], row["end_s"]))
    return spans


def with_context(evidence: Span, turns: Sequence[Span], duration_s: float) -> Span:
    """The evidence with a few seconds of context, extended to nearby turn boundaries; within the recording."""
    start_s, end_s = max(evidence[0] - CONTEXT_S, 0.0), min(evidence[1] + CONTEXT_S, duration_s)
    for turn_start, turn_end in turns:
        if turn_start < start_s < turn_end:
            if start_s - turn_start <= SNAP_S:
                start_s = turn_start
            elif turn_end <= evidence[0]:
                start_s = turn_end
            break
    for turn_start, turn_end in reversed(turns):
        if turn_start < end_s < turn_end:
            if turn_end - end_s <= SNAP_S:
                end_s = min(turn_end, duration_s)
            elif turn_start >= evidence[1]:
                end_s = turn_start
            break
    return round(start_s, 2), round(end_s, 2)


def beeps_within(clip: Span, personal: Iterable[Span]) -> tuple[Span, ...]:
    """The intervals of a clip to beep: personal data with a margin, merged where they touch."""
    joined = union((max(s - BEEP_MARGIN_S, clip[0]), min(e + BEEP_MARGIN_S, clip[1])) for s, e in personal)
    return tuple((round(s, 3), round(e, 3)) for s, e in joined)


def export_clips(
    settings: Settings,
    out: Path,
    call_id: str | None = None,
    criterion_id: str | None = None,
    kind: Literal["good_example", "to_improve"] | None = None,
) -> list[Path]:
    """Copy the clips that match all given filters, with their sidecars, into a folder; return the audio files in it.

    Raises MisconfiguredError when no clips have been cut yet.
    """
    rows = settings.site / "clips.parquet"
    if not rows.exists():
        raise MisconfiguredError(f"There are no clips yet: {rows} is missing. Run `callgrade grade FOLDER --warehouse FILE` first.")
    private_files.make_folder(out)
    copied: list[Path] = []
    for clip in staging.read_records(rows, Clip):
        if call_id not in (None, clip.call_id) or criterion_id not in (None, clip.criterion_id) or kind not in (None, clip.kind):
            continue
        source = settings.site / clip.path
        if not _is_cut(settings.site, clip) or clip.expires_at <= now():
            continue
        for file in (source, source.with_suffix(".json")):
            shutil.copyfile(file, out / file.name)
        copied.append(out / source.name)
    return copied


def _not_worthy() -> list[str]:
    """The criteria that centres exclude from clips, as centre/criterion."""
    return [f"{name}/{c.criterion_id}" for name in centre_ids() for c in load_centre(name).scorecard.criteria if not c.clip_worthy]


def _planned(moment: Row, turns: list[Span], personal: list[Span], retention_days: int) -> PlannedClip:
    evidence = (moment["start_s"], moment["end_s"])
    start_s, end_s = with_context(evidence, turns, moment["duration_s"] or evidence[1] + CONTEXT_S)
    beeps = beeps_within((start_s, end_s), personal)
    quote = moment["quote"]
    if quote and "[" not in quote and any(s < evidence[1] and e > evidence[0] for s, e in personal):
        quote = None  # a warehouse with raw words: the sound is beeped, so the words must not appear beside it
    content = json.dumps([moment["call_id"], moment["recording_sha256"], moment["criterion_id"], moment["kind"], start_s, end_s, beeps])
    clip_id = hashlib.sha256(content.encode()).hexdigest()[:16]
    expires_at = moment["evaluated_at"] + timedelta(days=retention_days)
    clip = Clip(
        clip_id, moment["call_id"], moment["criterion_id"], moment["kind"], start_s, end_s, quote, f"clips/{clip_id}.ogg", True, expires_at
    )
    return PlannedClip(clip, beeps, moment["recording_sha256"])


def _cut(site: Path, planned: PlannedClip, recording: audio.Tracks) -> None:
    """Write one clip completely or not at all: the sidecar is written last and marks the sound as complete."""
    sound = site / planned.clip.path
    audio.write_clip(recording, planned.clip.start_s, planned.clip.end_s, planned.beeps, sound)
    _write_side_car(site, planned)


def _write_side_car(site: Path, planned: PlannedClip) -> None:
    sound = site / planned.clip.path
    side_car = asdict(planned.clip) | {"expires_at": planned.clip.expires_at.isoformat(), "beeps": planned.beeps}
    text = json.dumps(side_car, ensure_ascii=False, indent=1) + "\n"
    if sound.with_suffix(".json").exists() and sound.with_suffix(".json").read_text(encoding="utf-8") == text:
        return
    staging.write_whole(sound.with_suffix(".json"), text.encode("utf-8"))


def _is_cut(site: Path, clip: Clip) -> bool:
    sound = site / clip.path
    return sound.exists() and sound.with_suffix(".json").exists()
