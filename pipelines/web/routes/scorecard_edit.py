"""Editing the draft of a scorecard: its weights, criteria and topics. Nothing here changes how calls are judged until a draft is activated."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse
from markupsafe import Markup

from pipelines.app_db.database import present
from pipelines.centres.profile import Centre, load_centre
from pipelines.centres.scorecard import ANSWERS, ASKS, DIRECTIONS, SEVERITIES, VERDICTS, default_verdict
from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import centres_folder
from pipelines.reports import scorecard_view
from pipelines.scorecards import drafts
from pipelines.scorecards.drafts import Draft
from pipelines.scorecards.editing import AddCriterion, AddTopic, Change, RemoveCriterion, RemoveTopic, SetCriterion, SetTopic, edit
from pipelines.web import scorecard_forms
from pipelines.web.request_context import RequestContext, require_permission, scorecard_path
from pipelines.web.routes.scorecards import with_profile
from pipelines.web.scorecard_forms import FORM_ONLY, FormFields, Problems, Values, explained

router = APIRouter()
_ONE_AT_A_TIME = threading.Lock()  # a draft is read, changed and saved before the next change reads it
EDITING_S = 3600.0  # a draft that somebody else changed less than an hour ago is said to be edited


@dataclass(frozen=True, slots=True)
class EditedDraft:
    """What is edited: the draft, or what a first change starts from, and its profile."""

    centre_id: str
    draft: Draft | None
    text: str
    profile: Centre
    broken: str = ""  # why, for the page, the draft cannot be read any more; changes then start from the current version


@router.get("/scorecards/{centre_id}/edit")
def overview(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> HTMLResponse:
    """The draft at a glance: weights, criteria, topics, and what differs from the current version."""
    return _overview(context, _work(context, centre_id))


@router.post("/scorecards/{centre_id}/edit")
def save_weights(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Save the weights of all criteria."""
    with _ONE_AT_A_TIME:
        return _save_weights(context, _work(context, centre_id))


@router.post("/scorecards/{centre_id}/edit/discard")
def discard(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Remove the draft: the scorecard stays as it is."""
    centre_id = with_profile(context, centre_id, "scorecard_draft_discarded")
    drafts.discard_draft(context.store, centre_id, context.account.name)
    context.note("scorecard_draft_discarded", centre_id, centre_id)
    return context.go(f"/{scorecard_path(centre_id)}?done=discarded")


@router.post("/scorecards/{centre_id}/edit/keep")
def keep_draft(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Keep the draft although the scorecard was changed since it was begun: it was compared with the current version."""
    work = _work(context, centre_id)
    if work.draft is not None and not work.broken:
        version = load_centre(centre_id).scorecard.version
        drafts.save_draft(context.store, centre_id, work.text, context.account.name, based_on_version=version)
        _note_edit(context, work)
    return context.go(f"/{scorecard_path(work.centre_id)}/activate")


@router.get("/scorecards/{centre_id}/edit/new-criterion")
def new_criterion(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> HTMLResponse:
    """The form of a new criterion, from sentences or phrases."""
    work = _work(context, centre_id)
    return _form(context, work, "criterion", None, scorecard_forms.criterion_values(None))


@router.post("/scorecards/{centre_id}/edit/new-criterion")
def add_criterion(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Add a criterion to the draft."""
    return _submit(context, centre_id, "criterion", None)


@router.get("/scorecards/{centre_id}/edit/criteria/{criterion_id}")
def criterion(criterion_id: str, centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> HTMLResponse:
    """The form of a criterion."""
    work = _work(context, centre_id)
    return _form(context, work, "criterion", criterion_id, _values(context, work, "criterion", criterion_id))


@router.post("/scorecards/{centre_id}/edit/criteria/{criterion_id}")
def save_criterion(
    criterion_id: str, centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]
) -> Response:
    """Save a criterion in the draft, or remove it."""
    return _submit(context, centre_id, "criterion", criterion_id)


@router.get("/scorecards/{centre_id}/edit/new-topic")
def new_topic(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> HTMLResponse:
    """The form of a new topic."""
    work = _work(context, centre_id)
    return _form(context, work, "topic", None, scorecard_forms.topic_values(None))


@router.post("/scorecards/{centre_id}/edit/new-topic")
def add_topic(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Add a topic to the draft."""
    return _submit(context, centre_id, "topic", None)


@router.get("/scorecards/{centre_id}/edit/topics/{topic_id}")
def topic(topic_id: str, centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> HTMLResponse:
    """The form of a topic."""
    work = _work(context, centre_id)
    return _form(context, work, "topic", topic_id, _values(context, work, "topic", topic_id))


@router.post("/scorecards/{centre_id}/edit/topics/{topic_id}")
def save_topic(topic_id: str, centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Save a topic in the draft, or remove it."""
    return _submit(context, centre_id, "topic", topic_id)


def _work(context: RequestContext, centre_id: str) -> EditedDraft:
    centre_id = with_profile(context, centre_id, "scorecard_edited")
    draft = drafts.load_draft(context.store, centre_id)
    if draft is None:
        return EditedDraft(centre_id, None, drafts.current_text(centre_id), load_centre(centre_id))
    try:
        return EditedDraft(centre_id, draft, draft.text, drafts.profile_of(centre_id, draft.text))
    except MisconfiguredError as error:
        return EditedDraft(
            centre_id, draft, drafts.current_text(centre_id), load_centre(centre_id), explained(error, "sc_err_said", context.w)
        )


def _values(context: RequestContext, work: EditedDraft, kind: str, value_id: str | None) -> Values:
    """The values of a criterion or topic as the draft has them. Raises RefusedError where there is none."""
    if kind == "criterion":
        found = next((c for c in work.profile.scorecard.criteria if c.criterion_id == value_id), None)
        if found is None and value_id is not None:
            context.refuse(404, "scorecard_edited", f"{work.centre_id} {value_id}"[:100], work.centre_id)
        return scorecard_forms.criterion_values(found)
    topic = next((t for t in work.profile.topics if t.topic_id == value_id), None)
    if topic is None and value_id is not None:
        context.refuse(404, "scorecard_edited", f"{work.centre_id} {value_id}"[:100], work.centre_id)
    return scorecard_forms.topic_values(topic)


def _save_weights(context: RequestContext, work: EditedDraft) -> Response:
    typed = {c.criterion_id: context.given(f"weight_{c.criterion_id}", 20) for c in work.profile.scorecard.criteria}
    given = {name: value for name, value in typed.items() if f"weight_{name}" in context.form}
    problems = scorecard_forms.check_weights(given, context.w)
    before = {c.criterion_id: c.weight for c in work.profile.scorecard.criteria}
    new = {name: scorecard_forms.number(value) for name, value in given.items() if value != context.given(f"was_{name}", 20)}
    changes = [SetCriterion(name, "weight", value) for name, value in new.items() if value != before[name]]
    problems = problems or _save(context, work, changes)
    if context.given("autosave") == "1":
        return _autosaved(context, problems)
    if problems:
        return _overview(context, work, typed, problems)
    return _done(context, work, "saved")


def _submit(context: RequestContext, centre_id: str, kind: str, value_id: str | None) -> Response:
    """Save what was typed; with problems, the form again with everything that was typed."""
    with _ONE_AT_A_TIME:
        return _submitted(context, _work(context, centre_id), kind, value_id)


def _submitted(context: RequestContext, work: EditedDraft, kind: str, value_id: str | None) -> Response:
    before = _values(context, work, kind, value_id)
    if context.given("do") == "remove" and value_id is not None:
        problems = _save(context, work, [RemoveCriterion(value_id) if kind == "criterion" else RemoveTopic(value_id)])
        return _form(context, work, kind, value_id, before, problems) if problems else _done(context, work, "removed")
    given = FormFields(lambda name: context.given(name, 2000), context.all_given)
    languages, is_new = work.profile.languages, value_id is None
    if kind == "criterion":
        typed = scorecard_forms.read_criterion(given, before, languages, is_new=is_new)
        problems = scorecard_forms.check_criterion(typed, before, work.profile, context.w, is_new=is_new)
    else:
        typed = scorecard_forms.read_topic(given, before, languages, is_new=is_new)
        problems = scorecard_forms.check_topic(typed, before, work.profile, context.w, is_new=is_new)
    seen, draft = context.given("seen", 20), work.draft
    if not problems and seen and seen != scorecard_forms.digest(before) and scorecard_forms.changed(before, typed):
        who = draft.edited_by if draft else ""
        problems = {FORM_ONLY: context.w("sc_err_conflict", name=who)}
    problems = problems or _save(context, work, _changes(kind, value_id, before, typed))
    if context.given("autosave") == "1":
        return _autosaved(context, problems, _values(context, _work(context, work.centre_id), kind, value_id) if not problems else None)
    if problems:
        return _form(context, work, kind, value_id, typed, problems)
    return _done(context, work, "added" if is_new else "saved")


def _changes(kind: str, value_id: str | None, before: Values, typed: Values) -> list[Change]:
    values = scorecard_forms.changed(before, typed)
    if value_id is None:
        filled = {name: scorecard_forms.stored(name, value) for name, value in typed.items()}
        kept = {
            name: value
            for name, value in filled.items()
            if value is not False and value not in ("", [], {}) and (name, value) != ("where", "anywhere")
        }
        return [AddCriterion(kept) if kind == "criterion" else AddTopic(kept)]
    made = SetCriterion if kind == "criterion" else SetTopic
    return [made(value_id, name, value) for name, value in values.items()]


def _save(context: RequestContext, work: EditedDraft, changes: Sequence[Change]) -> Problems:
    """Save the draft with changes; what is wrong with the profile they make."""
    if not changes:
        return {}
    try:
        drafts.save_draft(context.store, work.centre_id, edit(work.text, changes), context.account.name)
    except MisconfiguredError as error:
        return {FORM_ONLY: explained(error, "sc_err_profile", context.w)}
    _note_edit(context, work)
    return {}


def _note_edit(context: RequestContext, work: EditedDraft) -> None:
    """Record in the audit log that this account edits the draft, once for changes that follow each other within an hour."""
    draft = work.draft
    if draft is None or draft.edited_by != context.account.name or present() - draft.edited_at > EDITING_S:
        context.note("scorecard_edited", work.centre_id, work.centre_id)


def _autosaved(context: RequestContext, problems: Problems, values: Values | None = None) -> Response:
    if problems:
        first = next(iter(problems.values()))
        return JSONResponse({"problems": list(problems), "said": first.striptags() if isinstance(first, Markup) else first}, 400)
    return JSONResponse({"seen": scorecard_forms.digest(values) if values else ""})


def _done(context: RequestContext, work: EditedDraft, what: str) -> Response:
    return context.go(f"/{scorecard_path(work.centre_id)}/edit?done={what}")


def _overview(
    context: RequestContext, work: EditedDraft, typed: dict[str, str] | None = None, problems: Problems | None = None
) -> HTMLResponse:  # fmt: skip
    was = {c.criterion_id: f"{c.weight:g}" for c in work.profile.scorecard.criteria}
    return context.page(
        "app/scorecard_edit.html", 400 if problems else 200, **_head(context, work), **scorecard_view.show(work.profile, context.w), weights=was | (typed or {}), was=was,
        problems=problems or {}, labels=_labels(context, work, "weights", problems or {}),
        differences=scorecard_view.differences(load_centre(work.centre_id), work.profile, context.w),
        is_folder_missing=centres_folder() is None, broken=work.broken, done=context.request.query_params.get("done", ""),
    )  # fmt: skip


def _form(
    context: RequestContext, work: EditedDraft, kind: str, value_id: str | None, values: Values, problems: Problems | None = None
) -> HTMLResponse:
    problems = problems or {}
    seen = scorecard_forms.digest(_values(context, work, kind, value_id)) if value_id is not None else ""
    own = next((c for c in work.profile.scorecard.criteria if c.criterion_id == value_id), None) if kind == "criterion" else None
    card = scorecard_view.criterion_card(work.profile, own, 0, context.w) if own else None
    title = scorecard_view.named(values["title"], context.w) or context.w.label(
        "criteria" if kind == "criterion" else "topics", values["id"]
    )
    return context.page(
        f"app/{kind}_edit.html", 400 if problems else 200, **_head(context, work), values=values, problems=problems, value_id=value_id, seen=seen,
        title=title if value_id else "", card=card, has_words=values.get("rule") not in scorecard_forms.WORDLESS_RULES, labels=_labels(context, work, kind, problems),
        codes=list(dict.fromkeys([*work.profile.languages, *values["phrases"]])), all_topics=_topics(context, work),
        all_lines=[(line.line_id, scorecard_view.named(line.title, context.w) or context.w.label("lines", line.line_id)) for line in work.profile.lines],
        direction_names=[(one, context.w.label("directions", one)) for one in DIRECTIONS],
        severity_names=[(one, context.w.label("scorecard_severities", one)) for one in SEVERITIES], conditions=scorecard_view.CONDITIONS,
        longest={"title": scorecard_forms.LONGEST_TITLE, "description": scorecard_forms.LONGEST_DESCRIPTION, "row": scorecard_forms.LONGEST_ROW, "question": scorecard_forms.LONGEST_QUESTION},
        answer_verdicts=[(answer, values["answers"].get(answer) or default_verdict(answer)) for answer in ANSWERS] if values.get("rule") == "question" else [],
        verdict_names=[(one, context.w.label("verdict_names", one)) for one in VERDICTS], asked_names=[(one, context.w.label("roles", one)) for one in ASKS],
        most=scorecard_forms.MOST_ROWS,
    )  # fmt: skip


def _head(context: RequestContext, work: EditedDraft) -> dict[str, Any]:
    draft = work.draft
    is_other = draft is not None and draft.edited_by != context.account.name and present() - draft.edited_at < EDITING_S
    return {"centre": context.presenter(work.centre_id).centre, "draft": draft, "is_edited_by_other": is_other}


def _topics(context: RequestContext, work: EditedDraft) -> list[tuple[str, str]]:
    """The topics that a condition may name, with their titles: those of the centre, and those that the scorecard names already."""
    named = [one for c in work.profile.scorecard.criteria for one in (*c.applies.topics, *c.applies.except_topics)]
    return [(one, scorecard_view.topic_title(work.profile, one, context.w)) for one in dict.fromkeys([*work.profile.topic_ids, *named])]


def _labels(context: RequestContext, work: EditedDraft, kind: str, problems: Problems) -> dict[str, str]:
    """The name of each field that has a problem, for the list above the form."""
    titles = {c.criterion_id: scorecard_view.named(c.title, context.w) for c in work.profile.scorecard.criteria}
    found = {}
    for key in problems:
        field, _, row = key.partition("-")
        name, _, language = (
            field.rpartition("_")
            if field.startswith(("title_", "description_", "phrases_", "question_", "applies_if_"))
            else (field, "", "")
        )
        label = titles.get(key.removeprefix("weight_")) if kind == "weights" else context.w.label("scorecard_fields", name)
        more = [context.w.label("language_names", language)] if language else []
        found[key] = ", ".join([label or key, *more, *([str(int(row) + 1)] if row.isdigit() else [])])
    return found
