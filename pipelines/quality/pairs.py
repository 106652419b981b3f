"""Prints pairs of spoken and recognised text for `models.training.learn_noise`, a JSON line per call.

python -m pipelines.quality.pairs FOLDER STAGE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pipelines.core.staging import Batch
from pipelines.quality.reference import read_references


def main() -> None:
    """The calls of FOLDER that have a reference and were recognised under STAGE; whole calls, in order of time."""
    folder, stage = map(Path, sys.argv[1:3])
    references = read_references(folder)
    for file in sorted(stage.rglob("turns.parquet")):
        turns = sorted(Batch(file.parent).read("turns"), key=lambda turn: (turn.call_id, turn.start_s))
        for call_id in dict.fromkeys(turn.call_id for turn in turns if turn.call_id in references):
            reference = references[call_id]
            said = " ".join(turn["text"] for turn in reference["turns"])
            recognised = " ".join(turn.text for turn in turns if turn.call_id == call_id)
            print(json.dumps({"language": reference["language"], "said": said, "recognised": recognised}, ensure_ascii=False))


if __name__ == "__main__":
    main()
