"""Routes: one module per group of pages, with a `router` whose functions take a `RequestContext`. Register new modules here."""

from __future__ import annotations

from pipelines.web.routes import (
    access,
    administration,
    api_tokens,
    calibration,
    call,
    calls,
    care,
    disputes,
    evaluate,
    manager,
    new_reasons,
    openid,
    operator,
    own_packs,
    scorecard_edit,
    scorecard_versions,
    scorecards,
    session,
    trainer,
    trends,
)

ROUTES = (
    manager, calls, trends, new_reasons, scorecards, scorecard_edit, scorecard_versions, operator, call, evaluate, calibration, disputes, own_packs,
    trainer, care, session, access, administration, api_tokens, openid,
)  # fmt: skip
