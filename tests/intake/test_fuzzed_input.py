"""All input is graded or rejected with a reason, in bounded memory: 2,000 hostile recordings and some hundred hostile call logs."""

from __future__ import annotations

import json
import math
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from models.cores import cores
from pipelines.audio import step as audio
from pipelines.core import heap
from pipelines.core.errors import CallgradeError
from pipelines.core.rejections import read_reason
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.decoding import processes
from pipelines.intake.folder import read_folder
from tests.intake import fuzzed

RECORDINGS, LOGS = 2000, 300
HEADER = "call_id,centre,recording,started_at,direction,line,operator_id,client_ref,wait_s,disconnect_party,operator_channel,language\n"
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory and descriptors are read from /proc")


def resident_mb() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


@needs_proc
def test_every_hostile_recording_is_taken_or_rejected_with_a_reason(tmp_path: Path, settings: Settings) -> None:
    received = tmp_path / "received"
    received.mkdir()
    seeds = fuzzed.corpus(tmp_path)
    assert {"1_pcm.wav", "2_mulaw.wav", "1_layer3.mp3", "2_opus.ogg", "1_aac.m4a", "1_flac.flac"} <= set(seeds)
    for name, data in seeds.items():
        (received / f"sound_{name}").write_bytes(data)
    for n, (name, data) in enumerate(fuzzed.mutants(seeds, RECORDINGS)):
        (received / f"{n}_{name}").write_bytes(data)
    files = {path.name for path in received.iterdir()}

    intake = read_folder(received, centre="irkutsk")
    batch = Batch(tmp_path / "batch")
    batch.write("calls", intake.calls[-100:])
    audio.run(batch, settings)  # what the step itself loads
    heap.give_back()
    before_mb, descriptors = resident_mb(), len(os.listdir("/proc/self/fd"))
    batch.write("calls", intake.calls)
    batch.write_rejected("intake", intake.rejected)
    audio.run(batch, settings)

    rows, facts = batch.rejected(), batch.read("audio")
    taken = {Path(call.recording).name for call in batch.calls()}
    assert taken | {row.recording for row in rows} == files and len(taken) + len(rows) == len(files)
    assert {call.call_id for call in batch.calls()} == {one.call_id for one in facts}
    for row in rows:
        assert row.status in ("quarantined", "unscoreable") and row.reason.endswith((".", ")")), row
        reason = read_reason(row.reason_key or "", json.loads(row.reason_values or ""))
        assert reason.text() == row.reason != reason.text("uk")
    for one in facts:
        assert 0 < one.duration_s <= audio.MAX_LENGTH_S and all(math.isfinite(level) for track in one.level_db for level in track)
    why = Counter(row.status for row in rows)
    assert why["quarantined"] > RECORDINGS / 4 and why["unscoreable"] > RECORDINGS / 4  # both sides of the border were tried
    heap.give_back()
    assert resident_mb() - before_mb < 350  # all sounds together take twice as much; polars retains some buffers
    assert len(processes._living) <= cores() and len(os.listdir("/proc/self/fd")) <= descriptors + cores()


def test_every_hostile_call_log_is_read_or_refused_and_no_recording_is_lost(tmp_path: Path) -> None:
    received = tmp_path / "received"
    received.mkdir()
    for n in range(4):
        (received / f"c{n}.wav").write_bytes(fuzzed.wav(bytes([n]) * 400))
    rows = "".join(f'c{n},odesa,c{n}.wav,2024-10-21T08:4{n}:00+02:00,inbound,first,op-{n},"c-1,{n}",{n}.5,client,0,uk\n' for n in range(4))
    seeds = {f"{encoding}.csv": (HEADER + rows).encode(encoding) for encoding in ("utf-8", "utf-16", "cp1251", "utf-8-sig")}
    log, rng = tmp_path / "log.csv", random.Random(15)
    seeds["quotes.csv"] = (HEADER + rows.replace(",", '","')).encode()
    seeds["nul.csv"] = (HEADER + rows).replace("odesa", "od\0esa").encode()
    outcomes: Counter[str] = Counter()
    for n, (_, data) in enumerate(fuzzed.mutants(seeds, LOGS)):
        log.write_bytes(data if n % 10 else data + rng.randbytes(200_000))
        try:
            intake = read_folder(received, log)
        except CallgradeError as error:
            assert len(str(error)) > 20
            outcomes["refused"] += 1
            continue
        outcomes["read"] += 1
        ids = [call.call_id for call in intake.calls] + [row.call_id for row in intake.rejected]
        named = [Path(call.recording).name for call in intake.calls] + [row.recording or "" for row in intake.rejected]
        assert len(set(ids)) == len(ids) and {name.casefold() for name in named} >= {f"c{n}.wav" for n in range(4)}
    assert outcomes["read"] > LOGS / 2
