"""The paper's equations as plain loops over float64 NumPy arrays: what the tests believe.

Written from the equations alone, one scalar or one vector at a time, sharing nothing with the
package: no batched products, no folding, no linearity. Letters: B images, A attributes, R
regions, C channels, K classes, N tokens.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def softmax(x: Array) -> Array:
    weights = np.array([math.exp(value - max(x)) for value in x])
    return weights / sum(weights)


def layer_norm(x: Array, weight: Array | None = None, bias: Array | None = None) -> Array:
    mean = sum(x) / len(x)
    variance = sum((value - mean) ** 2 for value in x) / len(x)
    normed = np.array([(value - mean) / math.sqrt(variance + 1e-5) for value in x])
    return normed if weight is None else normed * weight + bias


def l2_norm(x: Array) -> Array:
    return x / math.sqrt(sum(value**2 for value in x))


def average_pool(level: Array, height: int, width: int) -> Array:
    """``[H W C]`` to ``[h w C]``: the mean of the cells that each target cell overlaps."""
    rows, columns, channels = level.shape
    pooled = np.zeros((height, width, channels))
    for i in range(height):
        for j in range(width):
            cells = [
                level[r, c]
                for r in range(i * rows // height, -(-(i + 1) * rows // height))
                for c in range(j * columns // width, -(-(j + 1) * columns // width))
            ]
            pooled[i, j] = sum(cells) / len(cells)
    return pooled


def bilinear(level: Array, height: int, width: int) -> Array:
    """``[H W C]`` to ``[h w C]``, cell centres aligned, edges repeated."""
    rows, columns, channels = level.shape
    result = np.zeros((height, width, channels))
    for i in range(height):
        for j in range(width):
            y = max((i + 0.5) * rows / height - 0.5, 0.0)
            x = max((j + 0.5) * columns / width - 0.5, 0.0)
            top, left = int(y), int(x)
            below, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
            upper = (1 - (x - left)) * level[top, left] + (x - left) * level[top, right]
            lower = (1 - (x - left)) * level[below, left] + (x - left) * level[below, right]
            result[i, j] = (1 - (y - top)) * upper + (y - top) * lower
    return result


def equation_1(p: Array, w1: Array, v: Array) -> Array:
    """omega ``[A R]`` of one image from v ``[R C]``."""
    return np.array([softmax(np.array([p_a @ (w1 @ v_r) for v_r in v])) for p_a in p])


def equation_2(omega: Array, v: Array) -> Array:
    """k ``[A C]``."""
    return np.array([sum(w * v_r for w, v_r in zip(row, v, strict=True)) for row in omega])


def equation_3(p: Array, v: Array, norm=layer_norm) -> Array:
    """q ``[A C]``."""
    mean = sum(v) / len(v)
    return np.array([norm(p_a) + norm(mean) for p_a in p])


def equation_4(q: Array, w2: Array, w3: Array) -> Array:
    """eta ``[A C]``."""
    return np.array([1 / (1 + np.exp(-(w3 @ np.maximum(w2 @ q_a, 0.0)))) for q_a in q])


def multi_head_self_attention(tokens: Array, layer: dict[str, Array], heads: int) -> Array:
    """MHSA of Eq. 5 on ``[N C]``; ``layer`` holds q, k, v, o and their biases."""
    channels = tokens.shape[1]
    size = channels // heads
    query, key, value = (
        np.array([layer[name] @ token + layer[f"{name}_bias"] for token in tokens])
        for name in ("q", "k", "v")
    )
    mixed = np.zeros_like(tokens)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(tokens)):
            scores = [query[i, part] @ other / math.sqrt(size) for other in key[:, part]]
            mixed[i, part] = sum(
                w * x for w, x in zip(softmax(np.array(scores)), value[:, part], strict=True)
            )
    return np.array([layer["o"] @ row + layer["o_bias"] for row in mixed])


def equations_5_6(tokens: Array, layer: dict[str, Array], heads: int) -> Array:
    """H_hat ``[N C]`` without dropout."""
    attended = multi_head_self_attention(tokens, layer, heads) + tokens
    first = [layer_norm(row, layer["norm1"], layer["norm1_bias"]) for row in attended]
    rows = []
    for row in first:
        hidden = np.maximum(layer["mlp1"] @ row + layer["mlp1_bias"], 0.0)
        mixed = layer["mlp2"] @ hidden + layer["mlp2_bias"]
        rows.append(layer_norm(mixed + row, layer["norm2"], layer["norm2_bias"]))
    return np.array(rows)


def equation_7(p: Array, w4: Array, h: Array) -> Array:
    """e ``[A]`` of one image."""
    return np.array([p_a @ (w4 @ h_a) for p_a, h_a in zip(p, h, strict=True)])


def equation_8(z: Array, e: Array, gamma: float) -> Array:
    """o ``[K]`` of one image."""
    return np.array([(gamma * l2_norm(z_c)) @ (gamma * l2_norm(e)) for z_c in z])


def equation_9(
    o: Array, labels: NDArray[np.int64], seen: NDArray[np.bool_], lambda_sc: float
) -> float:
    """L_AC to the letter."""
    total = 0.0
    for o_i, y in zip(o, labels, strict=True):
        among_seen = sum(math.exp(o_i[c]) for c in range(len(seen)) if seen[c])
        total -= math.log(math.exp(o_i[y]) / among_seen)
        shifted = [math.exp(o_i[c] + (0.0 if seen[c] else 1.0)) for c in range(len(seen))]
        for c in range(len(seen)):
            if not seen[c]:
                total -= lambda_sc * math.log(shifted[c] / sum(shifted))
    return total / len(o)


def dazle_loss(
    o: Array, labels: NDArray[np.int64], seen: NDArray[np.bool_], lambda_sc: float
) -> float:
    """Cross-entropy over all classes, and the log of the batch's mean unseen probability."""
    entropy, mass = 0.0, 0.0
    for o_i, y in zip(o, labels, strict=True):
        entropy -= math.log(softmax(o_i)[y])
        shifted = softmax(
            np.array([x + (-1.0 if s else 1.0) for x, s in zip(o_i, seen, strict=True)])
        )
        mass += sum(shifted[c] for c in range(len(seen)) if not seen[c])
    return entropy / len(o) - lambda_sc * math.log(mass / len(o))


def equation_10(g: Array, labels: NDArray[np.int64]) -> float:
    """L_GC."""
    return -sum(math.log(softmax(g_i)[y]) for g_i, y in zip(g, labels, strict=True)) / len(g)
