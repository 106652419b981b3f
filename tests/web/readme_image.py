"""Takes the picture of a scorecard that the README shows: `python -m tests.web.readme_image [CALL_ID]` after `callgrade demo`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pipelines.settings import ROOT, Settings
from pipelines.web import pages
from tests.web.chromium import take_picture

IMAGE = ROOT / "docs" / "images" / "scorecard.png"
DEMO = ROOT / ".demo" / "callgrade.duckdb"


def take(warehouse: Path, call_id: str, image: Path = IMAGE) -> Path:
    """The top of one call's page in English, 1200 wide."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_environment(warehouse=Path(folder) / warehouse.name)
        settings.snapshot.parent.mkdir(parents=True)
        settings.snapshot.write_bytes(Settings.from_environment(warehouse=warehouse).snapshot.read_bytes())
        pages.publish_pages(settings, "en")
        image.parent.mkdir(parents=True, exist_ok=True)
        return take_picture((settings.scorecards / pages.call_href(call_id)).as_uri(), image, 1200, 1240)


if __name__ == "__main__":
    print(take(Path(sys.argv[2]) if len(sys.argv) > 2 else DEMO, sys.argv[1] if len(sys.argv) > 1 else "irkutsk-ru-003"))
