"""Tries a draft on past calls: which verdicts change, in whose scores, and whether people's verdicts agree more.

The calls are judged twice, by the newest version and by the draft, from their masked turns in the stage and with the code of the score
step. Nothing of it is stored but the cache of what the model read.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import TypeAlias

from models.cores import threads
from models.text.loading import get_turn_model
from models.text.prototypes import Prototypes
from models.text.turn_model import CallReading
from pipelines.app_db.database import AppDatabase
from pipelines.centres.profile import Centre, load_centre
from pipelines.core.grouping import by_call
from pipelines.core.records import AudioFacts, Call, CallRoles, Evaluation, Finding, PersonalData, Turn, Verdict
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.reviews import human_verdicts
from pipelines.score.example_matching import match_examples
from pipelines.score.step import Scored, Signals, find_signals, score_call, signals_depend_on
from pipelines.scorecards import readings
from pipelines.scorecards.drafts import profile_of
from pipelines.turns.model_reading import texts_of

NOT_ASKED = "na"  # of a criterion that one of the two scorecards does not have
_LOOKED_AT = 4  # times as many calls as are tried are looked at, to choose from
Progress = Callable[[int, int], None]
_Profile: TypeAlias = tuple[Centre, Prototypes]


@dataclass(frozen=True, slots=True)
class Flip:
    """A verdict that the draft changes, with the words to listen to; quote and place are None where there are none."""

    call_id: str
    operator_id: str
    criterion_id: str
    before: str
    after: str
    quote: str | None
    turn_no: int | None
    start_s: float | None
    human_verdict: str | None  # a person's verdict on this criterion of the call, if any


@dataclass(frozen=True, slots=True)
class OperatorChange:
    """The mean score (0 to 100) of an operator's calls tried; None where nothing could be decided. No operator: an empty id."""

    operator_id: str
    calls: int
    before_pct: float | None
    after_pct: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many automatic verdicts are the same as people's, of those where both decided."""

    agreed: int
    compared: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a draft would change in the calls tried."""

    calls: int
    flips: tuple[Flip, ...]
    operators: tuple[OperatorChange, ...]
    agreement_before: Agreement
    agreement_after: Agreement
    seconds: float


@dataclass(frozen=True, slots=True)
class _Loaded:
    """Calls of a batch, with the records of the steps before scoring by call id."""

    calls: Sequence[Call]
    turns: Mapping[str, Sequence[Turn]]
    audio: Mapping[str, AudioFacts]
    roles: Mapping[str, CallRoles]
    dropped: Mapping[str, Sequence[Finding]]
    personal: Mapping[str, Sequence[PersonalData]]
    read: Mapping[str, CallReading]


@dataclass(frozen=True, slots=True)
class _Tried:
    """One call, as judged by the newest version and by the draft."""

    call: Call
    before: Scored
    after: Scored


def preview(
    settings: Settings,
    db: AppDatabase,
    centre_id: str,
    text: str,
    *,
    most_calls: int = 500,
    exclude: Collection[str] = frozenset(),
    progress: Progress | None = None,
) -> Preview:
    """Try the text of a profile on the most recent calls of its centre.

    Args:
        settings: of the site.
        db: the application database, for people's verdicts.
        centre_id: the centre.
        text: the YAML of the draft.
        most_calls: how many calls are tried; of more recent ones, evenly many of each operator and outcome.
        exclude: calls that are left out because the reader must judge them without knowing the result (`reviews.blind`).
        progress: called with the number of calls tried, and of all to be tried.

    Raises MisconfiguredError when the text is not a valid profile.
    """
    start = time.perf_counter()
    centres = load_centre(centre_id), profile_of(centre_id, text)
    model = get_turn_model(settings.profile, settings.models_dir)
    profiles = [(centre, model.prototypes(centre.topic_examples)) for centre in centres]
    chosen = _choose(settings, centre_id, most_calls, exclude)
    total, tried = sum(len(calls) for calls in chosen.values()), list[_Tried]()
    for loaded in _ahead(((Batch(settings.stage / folder), call_ids) for folder, call_ids in chosen.items()), settings):
        for one in _try(loaded, profiles, settings):
            tried.append(one)
            if progress is not None:
                progress(len(tried), total)
    people = human_verdicts.standing(db, [one.call.call_id for one in tried])
    verdicts = {(c, criterion): row["verdict"] for c, rows in people.items() for (_, criterion), row in rows.items()}
    return Preview(
        calls=len(tried),
        flips=tuple(flip for one in tried for flip in _flips(one, verdicts)),
        operators=tuple(_operators(tried)),
        agreement_before=_agreement(((one.call.call_id, one.before.verdicts) for one in tried), verdicts),
        agreement_after=_agreement(((one.call.call_id, one.after.verdicts) for one in tried), verdicts),
        seconds=time.perf_counter() - start,
    )


def _choose(settings: Settings, centre_id: str, most_calls: int, exclude: Collection[str]) -> dict[str, list[str]]:
    """The calls to try, by batch: the most recent ones, spread evenly over operators and outcomes where there are more."""
    found: dict[str, tuple[str, Call, Evaluation]] = {}
    files = sorted(settings.stage.glob("*/evaluations.parquet"), key=lambda f: (-(f.parent / "calls.parquet").stat().st_mtime, str(f)))
    for file in files:
        batch = Batch(file.parent)
        evaluations = {one.call_id: one for one in batch.read("evaluations")}
        for call in batch.read("calls"):
            if call.centre_id == centre_id and call.call_id in evaluations and call.call_id not in exclude:
                found.setdefault(call.call_id, (batch.batch_id, call, evaluations[call.call_id]))
        if len(found) >= _LOOKED_AT * most_calls:
            break
    groups: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    newest = sorted(
        found.values(), key=lambda one: (one[1].started_at.timestamp() if one[1].started_at else 0.0, one[1].call_id), reverse=True
    )
    for folder, call, evaluation in newest:
        groups[call.operator_id or "", _outcome(evaluation)].append((folder, call.call_id))
    chosen: dict[str, list[str]] = defaultdict(list)
    ranks = sorted((n, key) for key, calls in groups.items() for n in range(len(calls)))
    for n, key in ranks[:most_calls]:
        folder, call_id = groups[key][n]
        chosen[folder].append(call_id)
    return chosen


def _outcome(evaluation: Evaluation) -> str:
    if evaluation.is_auto_fail:
        return "auto_fail"
    return "open" if evaluation.score_pct is None else "high" if evaluation.score_pct >= 80 else "low"


def _load(batch: Batch, call_ids: Collection[str], settings: Settings) -> _Loaded:
    """What is judged of some calls of a batch; calls that were forgotten in the meantime are left out."""
    try:
        listed = [call for call in batch.read("calls") if call.call_id in set(call_ids)]
        turns = {c: sorted(some, key=lambda t: t.turn_no) for c, some in by_call(batch.read("turns")).items()}
        audio = {facts.call_id: facts for facts in batch.read("audio")}
        roles = {role.call_id: role for role in batch.read("roles")}
        dropped, personal = by_call(batch.read("dropped")), by_call(batch.read("personal_data"))
    except FileNotFoundError:
        return _Loaded([], {}, {}, {}, {}, {}, {})
    calls = [call for call in listed if call.call_id in audio and any(turn.tokens for turn in turns.get(call.call_id, ()))]
    return _Loaded(calls, turns, audio, roles, dropped, personal, _read(batch, calls, turns, settings))


def _ahead(batches: Iterator[tuple[Batch, list[str]]], settings: Settings) -> Iterator[_Loaded]:
    """What is judged of each batch; the next one is read while the previous one is judged."""
    with threads(1) as pool:
        coming = [pool.submit(_load, *one, settings) for one in islice(batches, 1)]
        while coming:
            loaded = coming.pop().result()
            coming += [pool.submit(_load, *one, settings) for one in islice(batches, 1)]
            yield loaded


def _try(loaded: _Loaded, profiles: Sequence[_Profile], settings: Settings) -> Iterator[_Tried]:
    """The calls of one batch, judged by both profiles, each with its topics."""
    spoken = [loaded.turns[call.call_id] for call in loaded.calls]
    matches = [match_examples(spoken, [centre] * len(spoken), settings.profile, settings.models_dir) for centre, _ in profiles]
    is_shared = len({repr(signals_depend_on(centre)) for centre, _ in profiles}) == 1
    for n, call in enumerate(loaded.calls):
        own, judged = loaded.turns[call.call_id], list[Scored]()
        signals: Signals | None = None
        for (centre, topics), matched in zip(profiles, matches, strict=True):
            reading = readings.for_scoring(own, loaded.read[call.call_id], topics)
            if signals is None or not is_shared:
                signals = find_signals(call, own, centre, reading, similar=matched[n].topics)
            judged.append(
                score_call(
                    call,
                    loaded.audio[call.call_id],
                    own,
                    loaded.roles.get(call.call_id),
                    loaded.dropped.get(call.call_id, ()),
                    loaded.personal.get(call.call_id, ()),
                    profile=settings.profile,
                    models_dir=settings.models_dir,
                    reading=reading,
                    matches=matched[n],
                    centre=centre,
                    signals=signals,
                )
            )
        yield _Tried(call, *judged)


def _read(batch: Batch, calls: Sequence[Call], turns: Mapping[str, Sequence[Turn]], settings: Settings) -> dict[str, CallReading]:
    """The turn model's output for calls of a batch, from the cache where it is there."""
    model = readings.model_of(settings.profile)
    keys = {call.call_id: readings.key_of(turns[call.call_id], model) for call in calls}
    found = readings.cached(batch, keys)
    missing = [call_id for call_id in keys if call_id not in found]
    if missing:
        turn_model = get_turn_model(settings.profile, settings.models_dir)
        new = dict(zip(missing, turn_model.read([texts_of(turns[call_id]) for call_id in missing]), strict=True))
        readings.store(batch, keys, new)
        found |= new
    return found


def _flips(one: _Tried, people: Mapping[tuple[str, str], str]) -> Iterator[Flip]:
    before, after = ({v.criterion_id: v for v in scored.verdicts} for scored in (one.before, one.after))
    for criterion_id in dict.fromkeys([*before, *after]):
        was, becomes = before.get(criterion_id), after.get(criterion_id)
        names = was.verdict if was else NOT_ASKED, becomes.verdict if becomes else NOT_ASKED
        if names[0] != names[1]:
            shown = next((v for v in (becomes, was) if v is not None and v.start_s is not None), None)
            yield Flip(
                one.call.call_id, one.call.operator_id or "", criterion_id, *names,
                shown.quote if shown else None, shown.turn_no if shown else None, shown.start_s if shown else None,
                people.get((one.call.call_id, criterion_id)),
            )  # fmt: skip


def _operators(tried: Sequence[_Tried]) -> Iterator[OperatorChange]:
    """The operators whose mean score changes first, by how much, then the others."""
    own: defaultdict[str, list[_Tried]] = defaultdict(list)
    for one in tried:
        own[one.call.operator_id or ""].append(one)
    found = [
        OperatorChange(operator_id, len(some), _mean([o.before for o in some]), _mean([o.after for o in some]))
        for operator_id, some in own.items()
    ]
    yield from sorted(found, key=lambda o: (-abs((o.after_pct or 0.0) - (o.before_pct or 0.0)), o.operator_id))


def _mean(scored: Sequence[Scored]) -> float | None:
    scores = [one.evaluation.score_pct for one in scored if one.evaluation.score_pct is not None]
    return round(fmean(scores), 1) if scores else None


def _agreement(judged: Iterator[tuple[str, Sequence[Verdict]]], people: Mapping[tuple[str, str], str]) -> Agreement:
    pairs = [(people[call_id, v.criterion_id], v.verdict) for call_id, own in judged for v in own if (call_id, v.criterion_id) in people]
    decided = [(human, machine) for human, machine in pairs if "unsure" not in (human, machine)]
    return Agreement(sum(human == machine for human, machine in decided), len(decided))
