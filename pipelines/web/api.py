"""The read API under /api/v1: an application of its own with bearer tokens instead of cookies, and problems (RFC 9457) as errors.

Every answer is limited to the centres and rights of the token. Personal data stays masked.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from pipelines.app_db import api_tokens
from pipelines.app_db.api_tokens import ApiToken
from pipelines.app_db.rate_limit import Limits, RateLimiter
from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.queries import read_api
from pipelines.web import api_records as records
from pipelines.web.request_context import Site

log = logging.getLogger("callgrade")

PREFIX = "/api/v1"
PROBLEM = "application/problem+json"
_Text = Annotated[str, Field(min_length=1, max_length=200)]


class Problem(BaseModel):
    """An error as RFC 9457 defines it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Filters(BaseModel):
    """The filters and the page of every list; an unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid")

    centre: Annotated[_Text | None, Field(description="Id of a centre; by default all centres of the token.")] = None
    first_day: Annotated[date | None, Field(description="First local day.")] = None
    last_day: Annotated[date | None, Field(description="Last local day.")] = None
    limit: Annotated[int, Field(ge=1, le=read_api.LARGEST_PAGE, description="Rows in a page.")] = 100
    cursor: Annotated[str | None, Field(max_length=2000, description="next_cursor of the page before, with the same filters.")] = None


class CallFilters(Filters):
    """Filters of rows that belong to calls."""

    call_id: Annotated[_Text | None, Field(description="Id of a call.")] = None


class VerdictFilters(CallFilters):
    """Filters of verdicts."""

    criterion_id: Annotated[_Text | None, Field(description="Id of a criterion.")] = None


class PeriodFilters(Filters):
    """Filters of scorecards; the days are those on which a period begins."""

    period: Annotated[records.Period | None, Field(description="day, week or month; by default all three.")] = None


router = APIRouter()
_bearer = HTTPBearer(auto_error=False, description="A token that an administrator created on the page API tokens.")


def _token_with(right: str | None) -> Any:
    def token(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> ApiToken:
        site: Site = request.app.state.site
        found = api_tokens.find(site.store, given.credentials) if given else None
        if found is None:
            raise HTTPException(401, "Send a valid token: Authorization: Bearer TOKEN.", {"WWW-Authenticate": "Bearer"})
        wait_s = request.app.state.requests.take(found.token_id)
        if wait_s:
            raise HTTPException(429, "Too many requests with this token.", {"Retry-After": str(math.ceil(wait_s))})
        if right is not None and right not in found.rights:
            raise HTTPException(403, f"The token lacks the right {right}.")
        return found

    return Depends(token)


def _page(request: Request, resource: str, token: ApiToken, filters: Filters, model: type[BaseModel]) -> dict[str, Any]:
    site: Site = request.app.state.site
    if filters.centre is not None and not token.sees_centre(filters.centre):
        raise HTTPException(403, "The token gives no access to this centre.")
    given = filters.model_dump(exclude=set(Filters.model_fields), exclude_none=True)
    query = read_api.Query(resource, token.centres, filters.centre, filters.first_day, filters.last_day, tuple(sorted(given.items())))
    with site.snapshot.read() as published:
        try:
            found = read_api.read_page(published, site.store.signing_key, query, list(model.model_fields), filters.limit, filters.cursor)
        except read_api.CursorError:
            raise HTTPException(422, "The cursor does not belong to this query. Begin without it.") from None
    return {"data": found.rows, "next_cursor": found.next_cursor}


@router.get("/centres")
def centres(request: Request, token: Annotated[ApiToken, _token_with(None)]) -> records.CentreList:
    """The centres of the token that have calls."""
    site: Site = request.app.state.site
    with site.snapshot.read() as published:
        return records.CentreList.model_validate({"data": read_api.centre_rows(published, token.centres)})


@router.get("/calls", response_model=records.CallPage)
def calls(request: Request, token: Annotated[ApiToken, _token_with("see_calls")], filters: Annotated[CallFilters, Query()]) -> Any:
    """Calls by id, including those that could not be graded."""
    return _page(request, "calls", token, filters, records.Call)


@router.get("/verdicts", response_model=records.VerdictPage)
def verdicts(request: Request, token: Annotated[ApiToken, _token_with("see_calls")], filters: Annotated[VerdictFilters, Query()]) -> Any:
    """Verdicts on criteria with their evidence, by call."""
    return _page(request, "verdicts", token, filters, records.Verdict)


@router.get("/findings", response_model=records.FindingPage)
def findings(request: Request, token: Annotated[ApiToken, _token_with("see_calls")], filters: Annotated[CallFilters, Query()]) -> Any:
    """Findings by call; those with refuted_at do not count."""
    return _page(request, "findings", token, filters, records.Finding)


@router.get("/scorecards/operators", response_model=records.OperatorPage)
def operators(request: Request, token: Annotated[ApiToken, _token_with("see_numbers")], filters: Annotated[PeriodFilters, Query()]) -> Any:
    """Operators by day, week and month."""
    return _page(request, "operators", token, filters, records.OperatorScorecard)


@router.get("/scorecards/centres", response_model=records.CentrePage)
def centre_scorecards(
    request: Request, token: Annotated[ApiToken, _token_with("see_numbers")], filters: Annotated[PeriodFilters, Query()]
) -> Any:
    """Centres and their lines by day, week and month."""
    return _page(request, "centre_scorecards", token, filters, records.CentreScorecard)


@router.get("/criterion-days", response_model=records.CriterionDayPage)
def criterion_days(request: Request, token: Annotated[ApiToken, _token_with("see_numbers")], filters: Annotated[Filters, Query()]) -> Any:
    """Counts of verdicts by centre, day, operator and criterion."""
    return _page(request, "criterion_days", token, filters, records.CriterionDay)


def make_api(site: Site, limits: Limits) -> FastAPI:
    """The API of a site, to be mounted at `PREFIX`; its OpenAPI document is /api/v1/openapi.json."""
    errors: dict[int | str, dict[str, Any]] = {
        status: {"description": HTTPStatus(status).phrase, "content": {PROBLEM: {"schema": Problem.model_json_schema()}}}
        for status in (401, 403, 422, 429, 503)
    }
    api = FastAPI(
        title="Callgrade read API", version="1", docs_url=None, redoc_url=None, redirect_slashes=False, responses=errors,
        description="Calls, verdicts, findings and scorecards, read only. docs/api.md describes tokens, paging and limits.",
    )  # fmt: skip
    api.state.site, api.state.requests = site, RateLimiter(limits.api)
    api.include_router(router)
    handlers: dict[Any, Callable[[Request, Exception], JSONResponse]] = {
        HTTPException: _http_error, RequestValidationError: _invalid, TransientError: _unavailable, MisconfiguredError: _unavailable,
    }  # fmt: skip
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)
    return api


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error answer."""
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail).model_dump()
    return JSONResponse(content, status, headers, media_type=PROBLEM)


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, dict(error.headers or {}))


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return problem(422, f"{'.'.join(str(part) for part in first['loc'][1:])[:100]}: {first['msg']}")


def _unavailable(request: Request, error: Exception) -> JSONResponse:
    log.warning("%s", error)
    return problem(
        503, "The published copy cannot be read at the moment." if isinstance(error, TransientError) else "Nothing is published."
    )
