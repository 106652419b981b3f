"""Evaluation of a call by a reviewer, blind if it belongs to the sample, with a comparison afterwards and drafts meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse

from pipelines.core.published import Row
from pipelines.queries import call_details
from pipelines.queries.masking import mask_typed
from pipelines.reports.presenters import Presenter
from pipelines.reviews import blind, drafts, evaluations, human_verdicts, resolved_verdicts
from pipelines.reviews.drafts import CURRENT, FIELDS, Draft
from pipelines.reviews.human_verdicts import LONGEST_NOTE, LONGEST_QUOTE, VERDICTS, HumanVerdict, NoEvidenceError
from pipelines.web.request_context import RequestContext, call_path, evaluate_path, require_permission

router = APIRouter()


@router.get("/evaluate/{call_id:path}")
def form(call_id: str, context: Annotated[RequestContext, require_permission("review")]) -> HTMLResponse:
    """The form of a call, with its transcript and its sound, filled in from the draft."""
    call = context.call(call_id)
    return _form(context, call, drafts.find(context.store, context.account, call["call_id"]))


@router.post("/evaluate")
def keep(context: Annotated[RequestContext, require_permission("review")]) -> Response:
    """Save an evaluation and continue to the comparison; errors are displayed at their fields, and all values are preserved."""
    call = context.call(context.given("call_id"), "evaluated")
    machine, turns = _machine(context, call), _turns(context, call)
    answers: list[HumanVerdict] = []
    problems: dict[str, tuple[str, str]] = {}
    for row in machine:
        name = row["criterion_id"]
        verdict, turn, quote, note = (context.given(f"{field}_{name}", 4000) for field in FIELDS)
        if not verdict and not (turn or quote or note):
            continue
        try:
            answer = human_verdicts.said(name, verdict, turn, quote, note, turns, call["duration_s"] or 0.0)
            answers.append(replace(answer, note=mask_typed(answer.note)))
        except NoEvidenceError as error:
            problems[name] = (error.field, context.w(str(error), quote=LONGEST_QUOTE, note=LONGEST_NOTE))
    if problems or not answers:
        return _form(context, call, None, problems, 400)
    said = {row["criterion_id"]: row["verdict"] for row in machine}
    human_verdicts.keep_evaluation(
        context.store, context.account, call, machine[0], answers, said, is_withheld=call["call_id"] in context.withheld
    )
    evaluations.mark_reviewed(context.store, context.account, call["call_id"])
    context.note("evaluated", call["call_id"], call["centre_id"])
    return context.go("/compared/" + call_path(call["call_id"]).removeprefix("calls/"))


@router.post("/evaluate/draft")
def save_draft(context: Annotated[RequestContext, require_permission("review")]) -> Response:
    """Save a draft; the page sends it while the reviewer fills in the form."""
    return JSONResponse({"saved_at": keep_draft(context)})


@router.post("/evaluate/discard")
def discard_draft(context: Annotated[RequestContext, require_permission("review")]) -> Response:
    """Remove the draft and begin with an empty form."""
    call = context.call(context.given("call_id"), "evaluated")
    drafts.discard(context.store, context.account, call["call_id"])
    return context.go(f"/{evaluate_path(call['call_id'])}")


@router.post("/evaluate/waive")
def waive(context: Annotated[RequestContext, require_permission("review")]) -> Response:
    """Show the results of a call, or of a centre's whole sample, without a blind review: later evaluations of it do not count as blind."""
    if context.given("call_id"):
        calls = [context.call(context.given("call_id"), "blind_waived")]
    else:
        sample = blind.sampled(context.published, context.store, context.centre(context.given("centre")))
        calls = [context.call(row["call_id"], "blind_waived") for row in sample]
    for call in calls:
        if call["call_id"] in context.withheld:
            human_verdicts.note_seen(context.store, context.account, call["call_id"])
            context.note("blind_waived", call["call_id"], call["centre_id"])
    if context.given("call_id"):
        return context.go("/" + call_path(calls[0]["call_id"]))
    return context.go(f"/{context.presenter(context.given('centre')).centre['href']}/queue?kind=sample")


@router.get("/compared/{call_id:path}")
def compared(call_id: str, context: Annotated[RequestContext, require_permission("review")]) -> Response:
    """The automatic and human verdicts on a call, and the resolved ones; for a reviewer who must still judge it blind, the form."""
    call = context.call(call_id)
    if call["call_id"] in context.withheld:
        return context.to_blind_form(call["call_id"])
    human_verdicts.note_seen(context.store, context.account, call["call_id"])
    machine = _machine(context, call)
    shown = context.presenter(call["centre_id"]).in_version(machine[0]["scorecard_version"])
    everything = human_verdicts.everything(context.store, [call["call_id"]])
    stands = human_verdicts.standing(context.store, [call["call_id"]]).get(call["call_id"], {})
    lines = [
        row | {
            "title": shown.title(row["criterion_id"]),
            "people": [v for v in everything if (v["scorecard_id"], v["criterion_id"]) == (row["scorecard_id"], row["criterion_id"])],
            "stands": stands.get((row["scorecard_id"], row["criterion_id"])),
        }
        for row in machine
    ]  # fmt: skip
    listed = resolved_verdicts.of_list(context.published, context.store, _score(context, call))[0]
    return context.page("app/compared.html", **_head(context, shown, call), lines=lines, before=_score(context, call)[0], now=listed)


def keep_draft(context: RequestContext) -> float:
    """Save the form of a request as the draft of its call; return when.

    Raises RefusedError for a call that the account may not see.
    """
    call = context.call(context.given("call_id"), "evaluated")
    criteria = [row["criterion_id"] for row in _machine(context, call)]
    answers = drafts.read_form(lambda name: context.given(name, 4000), criteria, _turns(context, call))
    return drafts.save(context.store, context.account, call["call_id"], answers, is_blind=call["call_id"] in context.withheld)


def _form(
    context: RequestContext, call: Row, draft: Draft | None, problems: dict[str, tuple[str, str]] | None = None, status: int = 200
) -> HTMLResponse:
    """The form from a request or from the draft; `problems` are a field and a message by criterion."""
    machine = _machine(context, call)
    shown = context.presenter(call["centre_id"]).in_version(machine[0]["scorecard_version"])
    is_blind = call["call_id"] in context.withheld
    if not is_blind:
        human_verdicts.note_seen(context.store, context.account, call["call_id"])
    filled = draft.answers if draft else {name: context.given(name, 4000) for name in context.form}
    described = {c.criterion_id: c for c in shown.profile.scorecard.criteria} if shown.profile else {}
    criteria = [
        {
            "criterion_id": row["criterion_id"],
            "title": shown.title(row["criterion_id"]),
            "description": _in_language(described.get(row["criterion_id"]), context.w.code),
            "machine_verdict": None if is_blind else row["verdict"],
            "problem_field": (problems or {}).get(row["criterion_id"], (None, ""))[0],
            "problem": (problems or {}).get(row["criterion_id"], (None, ""))[1],
        }
        | {field: filled.get(f"{field}_{row['criterion_id']}", "") for field in FIELDS}
        for row in machine
    ]
    # quotes go to the first criterion with a problem, else to the one edited last
    ids = [row["criterion_id"] for row in machine]
    wrong = [name for name in ids if name in (problems or {})]
    current = wrong[0] if wrong else filled.get(CURRENT) if filled.get(CURRENT) in ids else ids[0]
    talk = [{"turn": turn, "parts": call_details.parts_of(turn["text"], ())} for turn in _turns(context, call)]
    return context.page(
        "app/evaluate.html", status, **_head(context, shown, call), criteria=criteria, talk=talk, verdicts=VERDICTS, is_blind=is_blind,
        problems=problems, current=current, draft=draft, longest={"quote": LONGEST_QUOTE, "note": LONGEST_NOTE},
    )  # fmt: skip


def _head(context: RequestContext, shown: Presenter, call: Row) -> dict[str, Any]:
    return {"call": call, "centre": shown.centre, "when": context.w.time(call["started_local"])}


def _machine(context: RequestContext, call: Row) -> list[Row]:
    """The automatic verdicts on a call's first scorecard, in the order of the scorecard: an order by verdict would reveal it."""
    rows = context.published.of_calls("criterion_results", [call["call_id"]], "scorecard_id, criterion_id", more="judge = 'machine'")
    profile = context.presenter(call["centre_id"]).in_version(rows[0]["scorecard_version"] if rows else None).profile
    order = {c.criterion_id: n for n, c in enumerate(profile.scorecard.criteria)} if profile else {}
    first = [row for row in rows if row["scorecard_id"] == rows[0]["scorecard_id"]]
    if not first:
        context.refuse(404, "opened", call["call_id"], call["centre_id"])
    return sorted(first, key=lambda row: order.get(row["criterion_id"], len(order)))


def _turns(context: RequestContext, call: Row) -> list[Row]:
    """The turns for quoting: masked for everybody, because quotes are stored."""
    return resolved_verdicts.read(context.published, context.store, call, is_masked=True)["turns"]


def _score(context: RequestContext, call: Row) -> list[Row]:
    columns = "call_id, score_pct, coverage_pct, auto_fail, needs_review"
    rows = context.published.of_calls("evaluations", [call["call_id"]], "scorecard_id", columns, "judge = 'machine'")
    return rows[:1] or [{"call_id": call["call_id"], "score_pct": None, "coverage_pct": None, "auto_fail": False, "needs_review": False}]


def _in_language(criterion: Any, code: str) -> str:
    return "" if criterion is None else criterion.description.get(code) or criterion.description.get("en", "")
