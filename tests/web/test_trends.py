"""The page of trends: a planted fall is found from the start page, its evidence is shown, and whoever may not see a centre does not."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator

import pypdf
import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from pipelines.app_db import accounts
from pipelines.core.settings import Settings
from pipelines.i18n.wording import LANGUAGES, wording
from pipelines.web.app import make_app
from tests.trends.made_weeks import CALLS, FALLEN, LAST_WEEK, publish_weeks
from tests.web.people import ACCOUNTS, HOST, LIMITS, PASSWORD, People, title_of


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("weeks") / "weeks.duckdb")
    publish_weeks(settings)
    return settings


@pytest.fixture(scope="module")
def team(weeks: Settings) -> Iterator[People]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        app = make_app(weeks, {HOST}, limits=LIMITS)
        for name, (role, centres, operator_id) in ACCOUNTS.items():
            accounts.add(app.state.site.store, name, role, PASSWORD, centres, operator_id)
        with TestClient(app):
            yield People(app)


def test_a_planted_fall_stands_on_top_with_its_evidence_and_a_link_to_its_calls(team: People) -> None:
    answer = team.person("manager").get("/trends/kyiv")
    assert answer.status_code == 200 and title_of(answer) == "Trends"
    found = answer.text.partition('id="h-changed"')[2].partition("</section>")[0]
    assert found.count('<span class="sign fail"') == 2  # the criterion, and the score, of which it is a sixth
    assert f'href="#o-{FALLEN}"' in found and f'href="#o-{FALLEN}"' == re.findall(r'href="#o-\w+"', found)[0]
    assert "op-1</a>" in found and "all changed about equally" in found
    assert f"/calls?centre=kyiv&amp;criterion={FALLEN}&amp;verdict=fail&amp;sort=score&amp;from={LAST_WEEK}" in found


def test_the_fall_is_two_clicks_from_the_start_page_and_stands_on_the_page_of_the_centre(team: People) -> None:
    manager = team.person("manager")
    start = manager.get("/").text.partition('id="h-changes"')[2].partition("</section>")[0]
    found = re.search(r'href="(/trends/kyiv\?period=week&amp;[^"]+)">[^<]*: 2 changes</a>', start)
    assert found and "no change beyond chance" in start and start.index("2 changes") < start.index("no change beyond chance")
    assert f'href="#o-{FALLEN}"' in manager.get(found[1].replace("&amp;", "&")).text
    centre = manager.get("/centres/kyiv").text.partition('id="h-week"')[2].partition("</section>")[0]
    assert 'href="/trends/kyiv"' in centre and centre.count('<span class="sign fail"') == 2
    other = manager.get("/centres/irkutsk").text.partition('id="h-week"')[2].partition("</section>")[0]
    assert "sign fail" not in other and "sign pass" not in other and "no clear difference" in other


def test_the_printed_sheet_has_the_same_changes(team: People) -> None:
    book = pypdf.PdfReader(io.BytesIO(team.person("analyst").get("/centres/kyiv/export.pdf").content))
    assert " ".join(page.extract_text() for page in book.pages).count("worse") == 2


def test_the_sheet_and_the_workbook_are_of_the_period_in_the_url(team: People) -> None:
    analyst = team.person("analyst")
    query = "period=week&on=2026-02-10"
    page = analyst.get(f"/trends/kyiv?{query}").text
    assert all(f'href="/centres/kyiv/export.{kind}?period=week&amp;on=2026-02-09' in page for kind in ("pdf", "xlsx"))
    book = pypdf.PdfReader(io.BytesIO(analyst.get(f"/centres/kyiv/export.pdf?{query}").content))
    words = " ".join(" ".join(page.extract_text() for page in book.pages).split())
    assert len(book.pages) == 1 and "9–15 Feb 2026, compared with 2–8 Feb 2026" in words and "worse" not in words
    content = analyst.get(f"/centres/kyiv/export.xlsx?{query}").content
    with zipfile.ZipFile(io.BytesIO(content)) as workbook:
        texts = workbook.read("xl/sharedStrings.xml").decode()
    assert len(re.findall(r">kyiv-\d+<", texts)) == CALLS and f">{FALLEN}<" in texts and ">adjusted_change_pct<" in texts
    assert analyst.get("/centres/kyiv/export.xlsx?period=x").status_code == 400
    assert analyst.get("/centres/kyiv/export.pdf?period=week&on=x").status_code == 400


def test_operators_have_the_same_choice_of_a_period(team: People) -> None:
    person = team.person("manager")
    for query in ("", "?period=week&on=2026-02-10", "?period=month", "?by=month&start=2026-02-01"):
        page = person.get(f"/centres/kyiv/operators{query}")
        assert page.status_code == 200 and "op-1</a>" in page.text, query
        for link in set(re.findall(r'href="(/centres/kyiv/operators\?[^"#]+)', page.text)):
            assert person.get(link.replace("&amp;", "&")).status_code == 200
    refused = person.get("/centres/kyiv/operators?period=quarter")
    assert refused.status_code == 400 and 'role="alert"' in refused.text and "op-1</a>" in refused.text


def test_nothing_is_reported_where_nothing_changed(team: People) -> None:
    page = team.person("manager").get("/trends/irkutsk").text
    assert "No change beyond chance" in page and 'class="sign fail"' not in page


def test_few_calls_say_nothing(team: People) -> None:
    page = team.person("manager").get("/trends/kyiv?period=day").text
    assert "Too few calls to say" in page and "at least 30 decided calls" in page
    assert "no graded calls" in team.person("manager").get("/trends/kyiv?period=month&on=2020-01-01").text


@pytest.mark.parametrize(
    "query", ["period=week", "period=month&on=2026-02-03", "period=quarter", "period=custom&from=2026-02-01&to=2026-02-20", "against=year"]
)
def test_every_kind_of_period_has_a_page_whose_links_lead_on(team: People, query: str) -> None:
    person = team.person("manager")
    page = person.get(f"/trends/kyiv?{query}&criterion={FALLEN}")
    assert page.status_code == 200
    links = set(re.findall(r'href="(/trends/kyiv\?[^"#]+)', page.text))
    assert len(links) >= 6
    for link in links:
        assert person.get(link.replace("&amp;", "&")).status_code == 200


@pytest.mark.parametrize(
    "query", ["period=x", "on=%3Cscript%3E", "period=custom&from=2026-03-02&to=2026-03-01", "against=me", "on=9999-12-31", "on=2026-02-30"]
)
def test_a_period_that_is_none_is_refused_with_its_reason_beside_the_latest_week(team: People, query: str) -> None:
    answer = team.person("manager").get(f"/trends/kyiv?{query}")
    assert answer.status_code == 400 and 'role="alert"' in answer.text and FALLEN in answer.text and "<script>alert" not in answer.text


def test_an_unknown_criterion_in_the_url_is_left_out(team: People) -> None:
    page = team.person("manager").get("/trends/kyiv?criterion=%22%3E%3Cb%3E")
    assert page.status_code == 200 and '"><b>' not in page.text and 'id="why"' not in page.text
    assert 'id="why"' in team.person("manager").get(f"/trends/kyiv?criterion={FALLEN}").text


def test_only_who_sees_the_numbers_of_a_centre_sees_its_trends(team: People) -> None:
    assert team.person("op-1").get("/trends/kyiv").status_code == 403
    assert team.person("analyst").get("/trends/irkutsk").status_code == 404
    assert team.last_note()["outcome"] == "refused"
    assert team.stranger().get("/trends/kyiv").status_code == 303


def test_the_page_is_in_every_language(team: People) -> None:
    person = team.person("manager")
    account = accounts.named(team.store, "manager")
    try:
        for language in LANGUAGES:
            accounts.set_language(team.store, account, language)
            page = person.get(f"/trends/kyiv?criterion={FALLEN}")
            assert (
                page.status_code == 200 and wording(language)("tr_why") in page.text and title_of(page) == wording(language)("tab_trends")
            )
    finally:
        accounts.set_language(team.store, account, None)
