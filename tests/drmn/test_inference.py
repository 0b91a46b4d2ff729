"""Algorithm 1 and CZSL against loops written from the paper, and their invariants."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from numpy.typing import NDArray

from drmn.config import InferenceConfig
from drmn.inference import czsl_predict, ensemble_scores, gzsl_predict

Array = NDArray[np.float64]


def softmax_loop(row: Array) -> list[float]:
    powers = [math.exp(value - max(row)) if value > -math.inf else 0.0 for value in row]
    return [power / math.fsum(powers) for power in powers]


def best_of(scores: list[float]) -> int:
    best = 0
    for c in range(1, len(scores)):
        if scores[c] > scores[best]:
            best = c
    return best


def algorithm_1_loop(
    o: Array, g: Array | None, seen: NDArray[np.bool_], config: InferenceConfig
) -> list[int]:
    """Algorithm 1, line by line, one image at a time."""
    answers = []
    for i in range(len(o)):
        lifted = [o[i, c] + (0.0 if seen[c] else config.unseen_offset) for c in range(len(seen))]
        y = best_of(lifted)
        if seen[y] and g is not None and config.ensemble:
            s, t = softmax_loop(o[i]), softmax_loop(g[i])
            mixed = [config.beta * a + (1.0 - config.beta) * b for a, b in zip(s, t, strict=True)]
            y = best_of(mixed)
        answers.append(y)
    return answers


@st.composite
def cases(draw: st.DrawFn) -> tuple[Array, Array, NDArray[np.bool_]]:
    """o, g and seen of a random shape, with at least one seen and one unseen class."""
    num_images, num_classes = draw(st.integers(1, 12)), draw(st.integers(2, 9))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([0.5, 3.0, 12.0]))
    o = random.normal(0.0, scale, (num_images, num_classes))
    g = random.normal(0.0, scale, (num_images, num_classes))
    seen = random.permutation(np.arange(num_classes) < random.integers(1, num_classes))
    return o, g, seen


def as_tensors(*arrays: NDArray[np.generic]) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(array) for array in arrays)


@settings(max_examples=60, deadline=None)
@given(
    case=cases(),
    beta=st.floats(0.0, 1.0),
    offset=st.floats(-3.0, 3.0),
    ensemble=st.booleans(),
    has_global=st.booleans(),
)
def test_algorithm_1_is_the_papers(case, beta, offset, ensemble, has_global):
    o, g, seen = case
    config = InferenceConfig(beta=beta, unseen_offset=offset, ensemble=ensemble)
    o_t, g_t, seen_t = as_tensors(o, g, seen)
    predicted = gzsl_predict(o_t, g_t if has_global else None, seen_t, config)
    assert predicted.tolist() == algorithm_1_loop(o, g if has_global else None, seen, config)


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_czsl_is_the_best_unseen_class(case):
    o, _, seen = case
    expected = [max(np.flatnonzero(~seen), key=lambda c, i=i: o[i, c]) for i in range(len(o))]
    assert czsl_predict(*as_tensors(o, seen)).tolist() == expected


@settings(max_examples=20, deadline=None)
@given(case=cases(), beta=st.floats(0.0, 1.0))
def test_the_ensemble_mixes_two_softmaxes(case, beta):
    o, g, _ = case
    mixed = ensemble_scores(*as_tensors(o, g), beta).numpy()
    for i in range(len(o)):
        pairs = zip(softmax_loop(o[i]), softmax_loop(g[i]), strict=True)
        expected = [beta * a + (1.0 - beta) * b for a, b in pairs]
        np.testing.assert_allclose(mixed[i], expected, rtol=1e-9, atol=1e-300)


@settings(max_examples=100, deadline=None)
@given(case=cases(), beta=st.floats(0.0, 1.0), offset=st.floats(0.0, 3.0))
def test_a_seen_only_head_never_turns_a_seen_y1_unseen(case, beta, offset):
    o, g, seen = case
    g[:, ~seen] = -math.inf
    o_t, g_t, seen_t = as_tensors(o, g, seen)
    setting = InferenceConfig(beta=beta, unseen_offset=offset)
    y1 = gzsl_predict(o_t, None, seen_t, setting)
    y = gzsl_predict(o_t, g_t, seen_t, setting)
    assert bool(seen_t[y][seen_t[y1]].all())
    assert torch.equal(y[~seen_t[y1]], y1[~seen_t[y1]])


def test_with_all_classes_in_the_head_a_seen_y1_can_turn_unseen():
    o, g = torch.tensor([[5.0, 1.0]]), torch.tensor([[0.0, 9.0]])
    seen = torch.tensor([True, False])
    assert gzsl_predict(o, g, seen, InferenceConfig(beta=0.3)).item() == 1


@settings(max_examples=20, deadline=None)
@given(case=cases(), beta=st.floats(0.05, 0.95))
def test_permuting_the_classes_permutes_the_answers(case, beta):
    o, g, seen = case
    order = np.random.default_rng(0).permutation(len(seen))
    config = InferenceConfig(beta=beta)
    direct = gzsl_predict(*as_tensors(o, g, seen), config).numpy()
    permuted = gzsl_predict(*as_tensors(o[:, order], g[:, order], seen[order]), config).numpy()
    assert order[permuted].tolist() == direct.tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_any_precision_is_decided_in_float64(dtype):
    o = torch.tensor([[2.0, 2.5]], dtype=dtype)
    seen = torch.tensor([True, False])
    assert gzsl_predict(o, None, seen, InferenceConfig(unseen_offset=-0.501)).item() == 0
