"""Previews the effect of a changed rule, phrase or model: grades every staged call again and compares with the published results.

Nothing is recognised again, and neither the stage nor the warehouse is written: the report is for reading before anything is loaded.
Human verdicts are never changed by regrading, so only automatic ones are compared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from models import atomic_files
from pipelines.core import versions
from pipelines.core.grouping import by_call
from pipelines.core.published import Published, open_published
from pipelines.core.records import Call
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.score.step import Scored, score_batch

NOBODY = "(none)"  # calls without an operator in the log
_OUTCOME = "outcome of the abuse procedure"
_SHOWN = 300  # number of changes listed one by one; the tables count all


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A verdict, or outcome of the procedure, that would change."""

    call_id: str
    operator_id: str
    what: str  # the criterion
    before: str
    after: str
    why_before: str
    why_after: str
    at_s: float | None  # where to listen


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """The score of one call as published and by the current rules; None where nothing could be decided."""

    call_id: str
    operator_id: str
    before_pct: float | None
    after_pct: float | None


@dataclass(frozen=True, slots=True)
class RegradeChanges:
    """All changes that regrading would make."""

    rules_before: tuple[str, ...]
    rules_after: str
    unpublished: int  # staged calls that are not published yet
    changes: tuple[VerdictChange, ...]
    scores: tuple[ScoreChange, ...]  # of every compared call


def write_report(settings: Settings) -> Path:
    """Write the changes that regrading would make to `regrade.md` beside the warehouse, and return its path. Raises as `find_changes`."""
    text = report(find_changes(settings))
    path = settings.site / "regrade.md"
    atomic_files.write(path, text.encode())
    return path


def find_changes(settings: Settings) -> RegradeChanges:
    """Grade every staged call by the current rules and compare it with the published copy.

    Raises MisconfiguredError when nothing is published yet, so that nothing could change.
    """
    with open_published(settings) as published:
        rows = published.rows("select call_id, recording_sha256, scored_by from calls where status = 'graded'")
        known = {row["call_id"]: row for row in rows}
        judged: dict[str, tuple[Call, Scored]] = {}
        new: set[str] = set()
        for call, scored in _judge_again(settings):
            if call.call_id in known and known[call.call_id]["recording_sha256"] == call.recording_sha256:
                judged[call.call_id] = call, scored  # for a call in two batches the later one counts, as when they are loaded
            else:
                new.add(call.call_id)
        return RegradeChanges(
            rules_before=tuple(sorted({str(known[call_id]["scored_by"]) for call_id in judged})),
            rules_after=", ".join(sorted({scored.metrics.scored_by for _, scored in judged.values()}))
            or versions.graded_by(settings.profile),
            unpublished=len(new - set(judged)),
            changes=tuple(_changes(published, judged)),
            scores=tuple(_scores(published, judged)),
        )


def _judge_again(settings: Settings) -> Iterator[tuple[Call, Scored]]:
    for file in sorted(settings.stage.glob("*/turns.parquet")):
        batch = Batch(file.parent)
        calls = {call.call_id: call for call in batch.read("calls")}
        for scored in score_batch(batch, settings).scored:
            yield calls[scored.evaluation.call_id], scored


def _changes(published: Published, judged: dict[str, tuple[Call, Scored]]) -> Iterator[VerdictChange]:
    """The verdicts and outcomes that differ, by call and criterion; one that is missing on one side counts as `not asked`."""
    before = by_call(
        published.rows("select * from criterion_results where judge = 'machine' and call_id in (select unnest(?))", list(judged))
    )
    outcomes = {
        row["call_id"]: row for row in published.rows("select * from abuse_procedures where call_id in (select unnest(?))", list(judged))
    }
    for call_id, (call, scored) in sorted(judged.items()):
        operator = call.operator_id or NOBODY
        old, new = {row["criterion_id"]: row for row in before[call_id]}, {v.criterion_id: v for v in scored.verdicts}
        for criterion in sorted(old.keys() | new.keys()):
            was, becomes = old.get(criterion), new.get(criterion)
            names = was["verdict"] if was else "not asked", becomes.verdict if becomes else "not asked"
            if names[0] != names[1]:
                why = was["explanation"] if was else "", becomes.explanation if becomes else ""
                at_s = becomes.start_s if becomes and becomes.start_s is not None else was["start_s"] if was else None
                yield VerdictChange(call_id, operator, criterion, *names, *why, at_s)
        if call_id in outcomes and outcomes[call_id]["outcome"] != scored.procedure.outcome:
            was, done = outcomes[call_id], scored.procedure
            yield VerdictChange(
                call_id, operator, _OUTCOME, was["outcome"], done.outcome, was["explanation"], done.explanation, done.warned_at_s
            )


def _scores(published: Published, judged: dict[str, tuple[Call, Scored]]) -> Iterator[ScoreChange]:
    sql = "select call_id, score_pct from evaluations where judge = 'machine' and call_id in (select unnest(?))"
    before = {row["call_id"]: row["score_pct"] for row in published.rows(sql, list(judged))}
    for call_id, (call, scored) in sorted(judged.items()):
        yield ScoreChange(call_id, call.operator_id or NOBODY, before.get(call_id), scored.evaluation.score_pct)


def report(found: RegradeChanges) -> str:
    """The changes as Markdown: counts by criterion, the effect on each operator, and each change with its reason before and after."""
    calls = {change.call_id for change in found.changes}
    lines = [
        "# Changes by regrading",
        "",
        f"{len(found.scores)} calls compared, {len(calls)} of them change, {len(found.changes)} verdicts in all. "
        f"Staged and not published, so not compared: {found.unpublished}.",
        f"Rules before: {', '.join(found.rules_before) or 'none'}. Rules now: {found.rules_after}.",
        "Human verdicts take precedence over automatic ones.",
    ]
    if not found.changes:
        return "\n".join([*lines, "", "Nothing changes."]) + "\n"
    lines += [
        "",
        "## By criterion",
        "",
        *_criteria_table(found.changes),
        "",
        "## By operator",
        "",
        *_operator_table(found),
        "",
        "## Each change",
        "",
    ]
    lines += ["| call | operator | criterion | before | after | why before | why now | at |", "|---|---|---|---|---|---|---|---|"]
    for c in found.changes[:_SHOWN]:
        lines.append(_row(c.call_id, c.operator_id, c.what, c.before, c.after, c.why_before, c.why_after, _clock(c.at_s)))
    if len(found.changes) > _SHOWN:
        lines += ["", f"And {len(found.changes) - _SHOWN} more."]
    return "\n".join(lines) + "\n"


def _criteria_table(changes: Iterable[VerdictChange]) -> list[str]:
    """One row per criterion and kind of change, those that cost points first."""
    counts = Counter((c.what, c.before, c.after) for c in changes)
    ordered = sorted(counts.items(), key=lambda item: (item[0][2] != "fail", -item[1], item[0]))
    return ["| criterion | before | after | calls |", "|---|---|---|---|", *(_row(*names, n) for names, n in ordered)]


def _operator_table(found: RegradeChanges) -> list[str]:
    """One row per operator with a change: the number of changes, of new and of removed fails, and the mean score before and after."""
    changed = defaultdict(list)
    for change in found.changes:
        changed[change.operator_id].append(change)
    lines = [
        "| operator | calls | changes | now fail | fail no more | mean score before | mean score now |",
        "|---|---|---|---|---|---|---|",
    ]
    for operator, own in sorted(changed.items()):
        scores = [s for s in found.scores if s.operator_id == operator]
        now_fail = sum(c.after == "fail" for c in own)
        no_more = sum(c.before == "fail" for c in own)
        means = _mean(s.before_pct for s in scores), _mean(s.after_pct for s in scores)
        lines.append(_row(operator, len(scores), len(own), now_fail, no_more, *means))
    return lines


def _mean(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{fmean(known):.1f} %" if known else "–"


def _clock(seconds: float | None) -> str:
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
