"""Tries a draft on past calls: which verdicts change, in whose scores, and whether people's verdicts agree more.

The calls are judged twice, by the newest version and by the draft, from their masked turns in the stage and with the code of the score
step. Nothing of it is stored but the signals of calls that the score step has not cached, see `score.signals_cache`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from statistics import fmean

from models.cores import threads
from models.text.loading import get_turn_model
from models.text.prototypes import Prototypes
from pipelines.app_db.database import AppDatabase
from pipelines.centres.profile import Centre, load_centre
from pipelines.core.grouping import by_call
from pipelines.core.records import AudioFacts, Call, CallRoles, Evaluation, Finding, PersonalData, Turn, Verdict
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.reviews import human_verdicts
from pipelines.score import signals_cache
from pipelines.score.example_matching import ExampleMatches, match_examples
from pipelines.score.signals import find_signals, with_topics_of
from pipelines.score.signals_cache import CachedCall, keys_of
from pipelines.score.step import Scored, score_call
from pipelines.scorecards.drafts import profile_of
from pipelines.turns.model_reading import ModelReading, read_calls

NOT_ASKED = "na"  # of a criterion that one of the two scorecards does not have
_LOOKED_AT = 4  # times as many calls as are tried are looked at, to choose from
Progress = Callable[[int, int], None]


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

    batch: Batch
    calls: Sequence[Call]
    turns: Mapping[str, Sequence[Turn]]
    audio: Mapping[str, AudioFacts]
    roles: Mapping[str, CallRoles]
    dropped: Mapping[str, Sequence[Finding]]
    personal: Mapping[str, Sequence[PersonalData]]
    cached: Mapping[str, CachedCall]
    read: Mapping[str, ModelReading]  # of calls whose cached signals are not those of every profile


@dataclass(frozen=True)
class _Profile:
    """One of the two profiles that calls are judged by."""

    centre: Centre
    settings: Settings

    @cached_property
    def topics(self) -> Prototypes:
        """Its topics for the turn model; only read where they differ from those of the cached signals."""
        return get_turn_model(self.settings.profile, self.settings.models_dir).prototypes(self.centre.topic_examples)


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
    profiles = [_Profile(centre, settings) for centre in (load_centre(centre_id), profile_of(centre_id, text))]
    chosen = _choose(settings, centre_id, most_calls, exclude)
    total, tried = sum(len(calls) for calls in chosen.values()), list[_Tried]()
    for loaded in _ahead(((Batch(settings.stage / folder), call_ids) for folder, call_ids in chosen.items()), profiles):
        for one in _try(loaded, profiles):
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


def _load(batch: Batch, call_ids: Collection[str], profiles: Sequence[_Profile]) -> _Loaded:
    """What is judged of some calls of a batch; calls that were forgotten in the meantime are left out."""
    try:
        listed = [call for call in batch.read("calls") if call.call_id in set(call_ids)]
        turns = {c: sorted(some, key=lambda t: t.turn_no) for c, some in by_call(batch.read("turns")).items()}
        audio = {facts.call_id: facts for facts in batch.read("audio")}
        roles = {role.call_id: role for role in batch.read("roles")}
        dropped, personal = by_call(batch.read("dropped")), by_call(batch.read("personal_data"))
    except FileNotFoundError:
        return _Loaded(batch, [], {}, {}, {}, {}, {}, {}, {})
    calls = [call for call in listed if call.call_id in audio and any(turn.tokens for turn in turns.get(call.call_id, ()))]
    cached = signals_cache.read(batch)
    settings = profiles[0].settings
    unread = [call.call_id for call in calls if not _is_known(cached.get(call.call_id), call, turns[call.call_id], profiles)]
    read = read_calls([turns[call_id] for call_id in unread], settings.profile, settings.models_dir) if unread else []
    return _Loaded(batch, calls, turns, audio, roles, dropped, personal, cached, dict(zip(unread, read, strict=True)))


def _is_known(cached: CachedCall | None, call: Call, turns: Sequence[Turn], profiles: Sequence[_Profile]) -> bool:
    """Whether cached signals spare the model for every profile; their topic may differ."""
    return cached is not None and all(cached.keys.words == keys_of(call, turns, one.centre, one.settings.profile).words for one in profiles)


def _ahead(batches: Iterator[tuple[Batch, list[str]]], profiles: Sequence[_Profile]) -> Iterator[_Loaded]:
    """What is judged of each batch; the next one is read while the previous one is judged."""
    with threads(1) as pool:
        coming = [pool.submit(_load, *one, profiles) for one in islice(batches, 1)]
        while coming:
            loaded = coming.pop().result()
            coming += [pool.submit(_load, *one, profiles) for one in islice(batches, 1)]
            yield loaded


def _try(loaded: _Loaded, profiles: Sequence[_Profile]) -> Iterator[_Tried]:
    """The calls of one batch, judged by both profiles, each with its topics."""
    own = [loaded.turns[call.call_id] for call in loaded.calls]
    matches = [match_examples(own, [one.centre] * len(own), one.settings.profile, one.settings.models_dir) for one in profiles]
    new: list[CachedCall] = []
    for n, call in enumerate(loaded.calls):
        known, judged = loaded.cached.get(call.call_id), list[Scored]()
        for profile, matched in zip(profiles, matches, strict=True):
            found = _signals(known, loaded, call, profile, matched[n])
            if profile is profiles[0] and found is not known:
                new.append(found)
            known = found
            judged.append(_score(loaded, call, profile, matched[n], found))
        yield _Tried(call, *judged)
    if new:
        signals_cache.add(loaded.batch, new)


def _signals(known: CachedCall | None, loaded: _Loaded, call: Call, profile: _Profile, matched: ExampleMatches) -> CachedCall:
    """The signals of a call for a profile: those known where they depend on nothing else, or as far as they do not."""
    turns = loaded.turns[call.call_id]
    keys = keys_of(call, turns, profile.centre, profile.settings.profile)
    if known is not None and known.keys == keys:
        return known
    if known is not None and known.keys.words == keys.words:
        reading = known.reading(profile.topics.scores(known.vector))
        signals = with_topics_of(profile.centre, known.signals, call, turns, reading, matched.topics)
        return replace(known, keys=keys, signals=signals)
    read = loaded.read[call.call_id]
    assert read.vector is not None  # read by the model
    reading = replace(read, topics=profile.topics.scores(read.vector))
    return CachedCall(
        call.call_id, keys, find_signals(call, turns, profile.centre, reading, similar=matched.topics), read.client_type, read.vector
    )


def _score(loaded: _Loaded, call: Call, profile: _Profile, matched: ExampleMatches, found: CachedCall) -> Scored:
    return score_call(
        call,
        loaded.audio[call.call_id],
        loaded.turns[call.call_id],
        loaded.roles.get(call.call_id),
        loaded.dropped.get(call.call_id, ()),
        loaded.personal.get(call.call_id, ()),
        profile=profile.settings.profile,
        models_dir=profile.settings.models_dir,
        reading=found.reading(),
        matches=matched,
        centre=profile.centre,
        signals=found.signals,
    )


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
