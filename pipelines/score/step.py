"""The score step: all judgements of a call, combined into one evaluation with its evidence."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from models import registry
from pipelines.centres.profile import Centre, centre_of
from pipelines.centres.scorecard import Criterion
from pipelines.core import versions
from pipelines.core.errors import BadRecordingError
from pipelines.core.grouping import by_call
from pipelines.core.profile_files import centre_day
from pipelines.core.records import (
    AudioFacts,
    Call,
    CallMetrics,
    CallRoles,
    Evaluation,
    Finding,
    PersonalData,
    Procedure,
    QuestionAnswer,
    Rejection,
    SpeechAct,
    Turn,
    TurnSentiment,
    Verdict,
)
from pipelines.core.rejections import Key, Reason
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.score import findings as noticed
from pipelines.score import signals_cache
from pipelines.score.calibration import Calibration
from pipelines.score.call_context import Case
from pipelines.score.compliance import judge, points_of
from pipelines.score.conversation import find_events, measure
from pipelines.score.example_matching import ExampleMatches, match_examples
from pipelines.score.procedure import judge_procedure
from pipelines.score.signals import Signals, find_signals
from pipelines.score.signals_cache import CachedCall, cached_call, keys_of
from pipelines.score.topic import judge_client_type
from pipelines.turns.call_language import language_of_most_words
from pipelines.turns.model_reading import NOTHING_READ, ModelReading, read_calls

log = logging.getLogger("callgrade")
_ROLE_SURE = 0.6
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Scored:
    """The results of the score step for one call."""

    sentiments: tuple[TurnSentiment, ...]
    acts: tuple[SpeechAct, ...]
    findings: tuple[Finding, ...]
    procedure: Procedure
    verdicts: tuple[Verdict, ...]
    evaluation: Evaluation
    metrics: CallMetrics


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """The results of a batch, its calls without a recognised word, and what is cached of the others."""

    scored: tuple[Scored, ...]
    rejected: tuple[Rejection, ...]
    cached: tuple[CachedCall, ...]


def score_call(
    call: Call,
    audio: AudioFacts,
    turns: Sequence[Turn],
    roles: CallRoles | None = None,
    dropped: Sequence[Finding] = (),
    personal_data: Sequence[PersonalData] = (),
    sentiments: Sequence[TurnSentiment] | None = None,
    profile: str = "offline",
    models_dir: Path | None = None,
    calibration: Calibration | None = None,
    reading: ModelReading | None = None,
    matches: ExampleMatches | None = None,
    answers: Sequence[QuestionAnswer] = (),
    centre: Centre | None = None,
    signals: Signals | None = None,
) -> Scored:
    """Score one call: sentiment, speech acts, findings, procedure, verdicts, evaluation and metrics.

    Args:
        call: the call as accepted by intake; its centre and its day determine the scorecard.
        audio: the audio facts: duration, speech, holds.
        turns: its turns with roles, personal data masked.
        roles: the role summary with its confidence; None when unknown.
        dropped: findings of earlier steps, kept among the findings.
        personal_data: where personal data was masked.
        sentiments: the sentiment of the turns, if already known; computed from the words otherwise.
        profile: the profile of the models.
        models_dir: the folder of their weights; None for the project's own.
        calibration: the calibration; None for the shipped one.
        reading: the turn model's output, in the order of the turns; None to run it now, or to run nothing where sentiments are given.
        matches: the sentences that do what the centre's examples do; None to find them now.
        answers: what a language model answered to the questions of the scorecard.
        centre: the profile to judge by; None for the one in force on the call's day.
        signals: what the words show, if already known; sentiments are then taken from it.

    Raises BadRecordingError (unscoreable) when no word was recognised in the call.
    """
    if not any(turn.tokens for turn in turns):
        raise BadRecordingError(Reason(Key.NO_WORD_TO_JUDGE))
    centre = centre or centre_of(call)
    turns = sorted(turns, key=lambda t: t.turn_no)
    if reading is None:
        reading = read_calls([turns], profile, models_dir, [centre.topic_examples])[0] if sentiments is None else NOTHING_READ
    if matches is None:
        matches = match_examples([turns], [centre], profile, models_dir)[0]
    signals = signals or find_signals(call, turns, centre, reading, sentiments, matches.topics)
    acts, abuse, sentiments, topic = signals.acts, signals.abuse, signals.sentiments, signals.topic
    procedure = judge_procedure(call, turns, abuse, acts, centre.procedure)
    client_type = judge_client_type(turns, topic, abuse, sentiments, centre, reading, matches.client_types)
    findings = [*abuse, *noticed.forbidden(turns, acts), *find_events(audio, turns, centre.dead_air_s), *dropped]
    findings += noticed.personal(turns, personal_data) + noticed.suspect_mapping(call, audio, roles)
    findings.sort(key=lambda f: (f.start_s, f.end_s, f.kind))
    language = call_language(call, turns, centre)
    verdicts = judge(
        Case(
            call=call,
            centre=centre,
            turns=tuple(turns),
            acts=acts,
            findings=tuple(findings),
            procedure=procedure,
            sentiments=sentiments,
            holds=audio.holds,
            topic=topic,
            client_type=client_type,
            duration_s=audio.duration_s,
            speech=audio.speech,
            language=language,
            matches=matches,
            answers=tuple(answers),
        ),
        calibration,
    )
    metrics = CallMetrics(
        call_id=call.call_id,
        language=language,
        topic=topic.best,
        topic_confidence=topic.confidence,
        client_type=client_type.best,
        client_type_confidence=client_type.confidence,
        speech_model=call.medium if call.medium == "transcript" else registry.speech_version(profile),
        scored_by=versions.graded_by(profile, *centre_day(call)),
        **asdict(measure(audio, turns, sentiments, centre.dead_air_s)),
    )
    did, evaluation = noticed.speech_acts(turns, acts), evaluate(call, centre, verdicts, procedure, roles)
    return Scored(sentiments, tuple(did), tuple(findings), procedure, tuple(verdicts), evaluation, metrics)


def evaluate(call: Call, centre: Centre, verdicts: Sequence[Verdict], procedure: Procedure, roles: CallRoles | None = None) -> Evaluation:
    """The scorecard's result: points earned of those decided, 0 after an auto-fail, None when nothing could be decided."""
    card = centre.scorecard
    criteria = {c.criterion_id: c for c in card.criteria}
    won, decided, applicable = points_of(verdicts)
    failed = [v for v in verdicts if v.verdict == "fail" and criteria[v.criterion_id].is_auto_fail]
    coverage = 100 * decided / applicable if applicable else 100.0
    open_questions = [v for v in verdicts if v.verdict == "unsure" and criteria[v.criterion_id].severity == "critical"]
    unsure_roles = roles is not None and (roles.is_mapping_suspect or roles.role_confidence < _ROLE_SURE)
    return Evaluation(
        call_id=call.call_id,
        scorecard_id=card.scorecard_id,
        scorecard_version=card.version,
        score_pct=(0.0 if failed else round(100 * won / decided, 1)) if decided else None,
        is_auto_fail=bool(failed),
        auto_fail_reason=_reason(criteria[failed[0].criterion_id], failed[0]) if failed else None,
        coverage_pct=round(coverage, 1),
        needs_review=bool(
            failed or open_questions or unsure_roles or coverage < card.review_below_coverage_pct or procedure.outcome == "cannot_tell"
        ),
        auto_fail_criterion_id=failed[0].criterion_id if failed else None,
    )


def _reason(criterion: Criterion, verdict: Verdict) -> str:
    return f"{criterion.title.get('en', criterion.criterion_id)}: {verdict.explanation}"


def call_language(call: Call, turns: Iterable[Turn], centre: Centre) -> str:
    """The language of most words of a call; the log's, or the centre's first, when no turn has one."""
    return language_of_most_words(turns) or call.language or centre.languages[0]


def run(batch: Batch, settings: Settings) -> None:
    """Score every call of a batch and write sentiments, speech acts, findings, procedures, verdicts, evaluations, metrics and the cache.

    A call without a recognised word is rejected as unscoreable. Raises MisconfiguredError for a wrong profile of a centre.
    """
    found = score_batch(batch, settings)
    scored = found.scored
    batch.write("sentiments", [s for one in scored for s in one.sentiments])
    batch.write("speech_acts", [a for one in scored for a in one.acts])
    batch.write("findings", [f for one in scored for f in one.findings])
    batch.write("procedures", [one.procedure for one in scored])
    batch.write("verdicts", [v for one in scored for v in one.verdicts])
    batch.write("evaluations", [one.evaluation for one in scored])
    batch.write("metrics", [one.metrics for one in scored])
    signals_cache.write(batch, found.cached)
    batch.write_rejected("score", found.rejected)


def score_batch(batch: Batch, settings: Settings) -> ScoredBatch:
    """The results of the current rules for every call of a batch; writes nothing.

    Raises MisconfiguredError for a wrong profile of a centre.
    """
    turns = {call_id: sorted(own, key=lambda t: t.turn_no) for call_id, own in by_call(batch.read("turns")).items()}
    audio = {facts.call_id: facts for facts in batch.read("audio")}
    roles = {role.call_id: role for role in batch.read("roles")}
    dropped, personal = by_call(batch.read("dropped")), by_call(batch.read("personal_data"))
    answers = by_call(batch.read("answers") if batch.has("answers") else ())
    out = {row.call_id for row in batch.rejected() if row.step != "score"}  # an earlier scoring does not count
    calls = [call for call in batch.read("calls") if call.call_id not in out]
    worded = [call for call in calls if any(turn.tokens for turn in turns.get(call.call_id, ()))]
    ordered = [turns[call.call_id] for call in worded]
    centres = [centre_of(call) for call in worded]
    readings = read_calls(ordered, settings.profile, settings.models_dir, [centre.topic_examples for centre in centres])
    matches = match_examples(ordered, centres, settings.profile, settings.models_dir)
    scored: list[Scored] = []
    cached: list[CachedCall | None] = []
    for n, (call, own, centre, reading, matched) in enumerate(zip(worded, ordered, centres, readings, matches, strict=True), 1):
        log.info("score %d/%d %s", n, len(worded), call.call_id)
        signals = find_signals(call, own, centre, reading, similar=matched.topics)
        cached.append(cached_call(call.call_id, keys_of(call, own, centre, settings.profile), signals, reading))
        scored.append(
            score_call(
                call,
                audio[call.call_id],
                own,
                roles.get(call.call_id),
                dropped[call.call_id],
                personal[call.call_id],
                profile=settings.profile,
                models_dir=settings.models_dir,
                reading=reading,
                matches=matched,
                answers=answers[call.call_id],
                centre=centre,
                signals=signals,
            )
        )
    with_words = {call.call_id for call in worded}
    without = [call for call in calls if call.call_id not in with_words]
    rejected = [Rejection.of_call(call, "score", Reason(Key.NO_WORD_TO_JUDGE)) for call in without]
    return ScoredBatch(tuple(scored), tuple(rejected), tuple(one for one in cached if one is not None))
