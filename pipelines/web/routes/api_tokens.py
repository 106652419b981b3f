"""API tokens: an administrator creates them, sees their last use, and revokes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from pipelines.app_db import api_tokens
from pipelines.app_db.accounts import EVERY_CENTRE
from pipelines.app_db.api_tokens import ApiToken, ApiTokenError
from pipelines.core.profile_files import centre_ids
from pipelines.queries.masking import mask_typed
from pipelines.web.request_context import NavItem, RequestContext, require_permission

router = APIRouter()
NAV = (NavItem("/api-tokens", "api_tokens", "manage_accounts"),)


@router.get("/api-tokens")
def token_list(context: Annotated[RequestContext, require_permission("manage_accounts")]) -> HTMLResponse:
    """The tokens of the administrator's centres, and a form for a new one."""
    return _page(context)


@router.post("/api-tokens")
def add_token(context: Annotated[RequestContext, require_permission("manage_accounts")]) -> HTMLResponse:
    """Create a token, which is displayed once."""
    typed = frozenset(context.all_given("centre"))
    days = context.given("valid_days", 10)
    name = context.given("name", api_tokens.LONGEST_NAME + 1)
    try:
        if typed - {*_centres(context), EVERY_CENTRE}:
            raise ApiTokenError("api_token_centres_bad")
        made, secret = api_tokens.create(
            context.store, context.account, mask_typed(name) if len(name) <= api_tokens.LONGEST_NAME else name, typed,
            context.all_given("right"), int(days) if days.isascii() and days.isdigit() else 0,
        )  # fmt: skip
    except ApiTokenError as error:
        return _page(context, 400, problem=context.w(error.key))
    context.note("api_token_created", f"token {made.token_id} {made.name}", _centre_of(made))
    return _page(context, made=made, secret=secret)


@router.post("/api-tokens/{token_id}/revoke")
def revoke_token(token_id: int, context: Annotated[RequestContext, require_permission("manage_accounts")]) -> Response:
    """Revoke a token."""
    token = api_tokens.revoke(context.store, context.account, token_id) if abs(token_id) < 2**62 else None
    if token is None:
        context.refuse(404, "api_token_revoked", str(token_id)[:30])
    context.note("api_token_revoked", f"token {token.token_id} {token.name}", _centre_of(token))
    return context.go("/api-tokens")


def _page(context: RequestContext, status: int = 200, *, problem: str = "", made: ApiToken | None = None, secret: str = "") -> HTMLResponse:
    return context.page(
        "app/api_tokens.html", status, tokens=api_tokens.manageable(context.store, context.account), problem=problem, made=made, secret=secret,
        centres=_centres(context), offers_every_centre=EVERY_CENTRE in context.account.centres, rights=api_tokens.RIGHTS, days=api_tokens.DAYS,
        day_of=lambda at_s: datetime.fromtimestamp(at_s, UTC).date().isoformat(),
    )  # fmt: skip


def _centres(context: RequestContext) -> list[str]:
    return [one for one in sorted({*centre_ids(), *context.centres()}) if context.account.sees_centre(one)]


def _centre_of(token: ApiToken) -> str | None:
    """The centre of an audit entry; none where the token has several."""
    return min(token.centres) if len(token.centres) == 1 and EVERY_CENTRE not in token.centres else None
