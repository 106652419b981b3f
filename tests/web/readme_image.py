"""Takes the screenshots of the README: `python -m tests.web.readme_image [CALL_ID]` after `callgrade demo`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from pipelines.app_db import accounts
from pipelines.app_db.database import open_store
from pipelines.core.published import open_published
from pipelines.core.settings import ROOT, Settings
from tests.web.browser import follow, launch_chromium
from tests.web.people import PASSWORD
from tests.web.served import served, sign_in

IMAGES = ROOT / "docs" / "images"
DEMO = ROOT / ".demo" / "callgrade.duckdb"
# of the proposed packs the one with most of both, good moments and ones to improve
_CHOOSE = """(() => {
  document.querySelectorAll('main details').forEach(one => one.open = true);
  const of = (row, kind) => +(row.querySelector(kind)?.style.getPropertyValue('--v') || 0);
  const worth = row => Math.min(of(row, '.bar i:not(.fail)'), of(row, '.bar i.fail'));
  Array.from(document.querySelectorAll('.proposals > li')).sort((a, b) => worth(b) - worth(a))[0].id = 'chosen';
})()"""


def take(warehouse: Path, call_id: str, images: Path = IMAGES) -> list[Path]:
    """A call as a quality manager sees it, and a proposed pack as a trainer plays it, in English; nothing of the site itself changes."""
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_environment(warehouse=Path(folder) / warehouse.name)
        published = Settings.from_environment(warehouse=warehouse)
        settings.snapshot.parent.mkdir(parents=True)
        shutil.copy(published.snapshot, settings.snapshot)
        shutil.copytree(published.clips, settings.clips)
        shutil.copytree(published.stage, settings.stage)  # names the path of the recordings
        store = open_store(settings)
        accounts.add(store, "anna", "manager", PASSWORD, [accounts.EVERY_CENTRE])
        with served(settings) as address, launch_chromium() as browser, browser.new_page(viewport={"width": 1280, "height": 1360}) as page:
            sign_in(page, address, "anna", "en")
            with open_published(settings) as published_copy, store.writing() as db:  # the blind sample is not what the pictures are about
                ids = [(row["call_id"],) for row in published_copy.rows("select call_id from calls")]
                db.executemany("insert into seen_verdicts select ?, account_id, 0 from accounts", ids)
            page.goto(f"{address}/calls/{call_id}")
            page.wait_for_selector(".with-waves")
            page.screenshot(path=images / "call.png")
            page.goto(f"{address}/trainer")
            page.evaluate(_CHOOSE)
            follow(page.locator("#chosen button"))
            page.wait_for_function("() => document.querySelectorAll('.moments audio').length > 1")
            page.screenshot(path=images / "pack.png")
        return [images / "call.png", images / "pack.png"]


if __name__ == "__main__":
    for image in take(Path(sys.argv[2]) if len(sys.argv) > 2 else DEMO, sys.argv[1] if len(sys.argv) > 1 else "irkutsk-ru-003"):
        print(image)
