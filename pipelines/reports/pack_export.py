"""A coaching pack as a zip: its sounds, the transcript, a self-contained offline page, and a machine-readable sidecar.

File names inside are generated and never come from typed text. The operators of the calls are not named: a pack is for training and must
not single anybody out.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipelines.coaching import packs
from pipelines.core.printable import printable
from pipelines.core.published import Row
from pipelines.i18n.wording import LANGUAGES, Wording, clock
from pipelines.reports.templating import environment, style_and_script

_TIME = (1980, 1, 1, 0, 0, 0)  # of the files inside, so that the same pack gives the same bytes


def archive(pack: Row, moments: Sequence[Row], centre: str, w: Wording) -> bytes:
    """The bytes of the zip; `moments` as the page of a pack shows them, each with its `file`."""
    rows = [m | {"name": f"audio/{n:02}-{m['kind'].replace('_', '-')}.ogg"} for n, m in enumerate(moments, 1)]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive_file:
        write(archive_file, "index.html", _page(pack, rows, centre, w).encode())
        write(archive_file, "transcript.txt", _transcript(pack, rows, centre, w).encode())
        write(archive_file, "pack.json", (json.dumps(_side_car(pack, rows), ensure_ascii=False, indent=1) + "\n").encode())
        for row in rows:
            write(archive_file, row["name"], row["file"].read_bytes(), zipfile.ZIP_STORED)  # compressed already
    return out.getvalue()


def write(archive_file: zipfile.ZipFile, name: str, content: bytes, how: int = zipfile.ZIP_DEFLATED) -> None:
    """Add a file to a zip, always with the same time and permissions."""
    entry = zipfile.ZipInfo(name, _TIME)
    entry.external_attr = 0o600 << 16
    entry.compress_type = how
    archive_file.writestr(entry, content)


def _page(pack: Row, rows: Sequence[Row], centre: str, w: Wording) -> str:
    style, _, _ = style_and_script()
    return environment().get_template("app/pack_offline.html").render(
        w=w, languages=LANGUAGES, style=style, pack=pack, centre=centre, moments=rows, until=packs.day_of(pack["expires_at"]), balance=packs.balance(rows)
    )  # fmt: skip


def _transcript(pack: Row, rows: Sequence[Row], centre: str, w: Wording) -> str:
    lines = [pack["title"], centre, w("pack_until", date=w.date(packs.day_of(pack["expires_at"]))), pack["notes"]]
    for n, row in enumerate(rows, 1):
        lines += ["", f"{n}. {row['title']} ({w.label('clip_kinds', row['kind'])}), {row['name']}", row["notes"]]
        start_s = row["piece"].span[0]
        lines += [f"  {clock(max(t['start_s'] - start_s, 0))} {w.label('roles', t['role'])}: {t['text']}" for t in row["talk"]]
    return "\n".join(printable(line, keep="\n") for line in lines if line is not None) + "\n"


def _side_car(pack: Row, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "pack_id": pack["pack_id"], "title": pack["title"], "centre_id": pack["centre_id"], "notes": pack["notes"], "is_disguised": bool(pack["is_disguised"]),
        "expires_at": datetime.fromtimestamp(pack["expires_at"], UTC).isoformat(),
        "moments": [
            {
                "audio": row["name"], "call_id": row["call_id"], "kind": row["kind"], "criterion_id": row["criterion_id"], "act": row["act"],
                "finding_kind": row["finding_kind"], "severity": row["severity"], "start_s": row["piece"].span[0], "end_s": row["piece"].span[1], "beeps": row["piece"].beeps, "notes": row["notes"],
                "turns": [{"role": t["role"], "start_s": t["start_s"], "end_s": t["end_s"], "text": t["text"]} for t in row["talk"]],
            }
            for row in rows
        ],
    }  # fmt: skip
