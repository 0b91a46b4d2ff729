"""The assembled DRMN against all equations at once, and what must never change."""

import numpy as np
import paper_equations as paper
import pytest
import torch
from numpy.testing import assert_allclose

from drmn.config import Config
from drmn.losses import total_loss
from drmn.model.levels import LevelSpec
from drmn.model.network import DRMN

SPECS = (LevelSpec(4, 6, 6), LevelSpec(6, 4, 4), LevelSpec(8, 3, 3), LevelSpec(10, 2, 2))
K, A = 5, 4
SEEN = torch.tensor([True, True, False, True, False])
BASELINE = {
    "model.fusion.enabled": False,
    "model.channel_attention.enabled": False,
    "model.sit.enabled": False,
    "model.global_branch.enabled": False,
}


def attributes():
    return torch.rand(K, A, generator=torch.Generator().manual_seed(1)) + 0.1


def build(seed=0, **overrides):
    torch.manual_seed(seed)
    config = Config().with_overrides({"model.sit.dropout": 0.0, **overrides})
    model = DRMN(config.model, SPECS, attributes(), SEEN).double()
    with torch.no_grad():
        model.prototypes.mul_(50)  # far from uniform attention
    return model


def random_levels(num_images=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(num_images, *spec.shape) for spec in SPECS]
    return tuple(torch.randn(*s, dtype=torch.float64, generator=generator) for s in shapes)


def as_arrays(*tensors):
    return [tensor.detach().numpy() for tensor in tensors]


def paper_features(model, v):
    """h ``[A C]`` of one image by Eqs. 1-4."""
    p, w1, w2, w3 = as_arrays(
        model.prototypes, model.spatial.w1, model.channel.w2, model.channel.w3
    )
    k = paper.equation_2(paper.equation_1(p, w1, v), v)
    return k * paper.equation_4(paper.equation_3(p, v), w2, w3)


def paper_logits(model, h):
    p, w4, z = as_arrays(model.prototypes, model.classifier.w4, model.semantics)
    return paper.equation_8(z, paper.equation_7(p, w4, h), model.config.classifier.gamma)


def paper_transformer(sit, tokens):
    names = ("q", "k", "v")
    layer = dict(zip(names, np.split(*as_arrays(sit.query_key_value.weight), 3), strict=True))
    biases = np.split(*as_arrays(sit.query_key_value.bias), 3)
    layer |= {f"{name}_bias": bias for name, bias in zip(names, biases, strict=True)}
    parts = {"o": sit.output, "norm1": sit.norm_attention, "mlp1": sit.widen, "mlp2": sit.narrow}
    for name, part in (*parts.items(), ("norm2", sit.norm_feedforward)):
        layer[name], layer[f"{name}_bias"] = as_arrays(part.weight, part.bias)
    return paper.equations_5_6(tokens, layer, sit.heads)


def test_the_whole_model_is_the_papers_equations():
    model, levels = build(), random_levels()
    scores = model(levels)
    h = np.array([paper_features(model, v) for v in model.fusion(levels).detach().numpy()])
    assert_allclose(scores.o.detach(), [paper_logits(model, h_i) for h_i in h], rtol=1e-9)
    mixed = paper_transformer(model.sit, h.reshape(-1, h.shape[-1])).reshape(h.shape)
    assert_allclose(scores.o_sit.detach(), [paper_logits(model, h_i) for h_i in mixed], rtol=1e-9)


def test_the_baseline_is_spatial_attention_on_the_last_stage():
    model, levels = build(**BASELINE), random_levels()
    scores = model(levels)
    p, w1 = as_arrays(model.prototypes, model.spatial.w1)
    regions = levels[-1].flatten(1, 2).numpy()
    k = [paper.equation_2(paper.equation_1(p, w1, v), v) for v in regions]
    assert_allclose(scores.o.detach(), [paper_logits(model, k_i) for k_i in k], rtol=1e-9)
    assert scores.g is None
    assert scores.o_sit is None


def test_explanation_holds_the_maps_behind_the_scores():
    model, levels = build().eval(), random_levels()
    maps = model.explain(levels)
    p, w1, w2, w3 = as_arrays(
        model.prototypes, model.spatial.w1, model.channel.w2, model.channel.w3
    )
    v = model.fusion(levels)[0].detach().numpy()
    assert_allclose(maps.attention[0].detach(), paper.equation_1(p, w1, v), rtol=1e-9)
    eta = paper.equation_4(paper.equation_3(p, v), w2, w3)
    assert_allclose(maps.channel_weights[0].detach(), eta, rtol=1e-9)
    e = paper.equation_7(p, *as_arrays(model.classifier.w4), paper_features(model, v))
    assert_allclose(maps.attribute_scores[0].detach(), e, rtol=1e-9)


def test_global_loss_cannot_move_the_attribute_branch_over_frozen_levels():
    model = build()
    config = Config().with_overrides({"model.sit.dropout": 0.0})
    losses = total_loss(model(random_levels()), torch.tensor([0, 1, 3]), SEEN, config)
    named = dict(model.named_parameters())
    gradients = torch.autograd.grad(losses.global_, list(named.values()), materialize_grads=True)
    moved = {name for name, grad in zip(named, gradients, strict=True) if grad.ne(0).any()}
    assert moved == {"global_branch.linear.weight", "global_branch.linear.bias"}


def test_without_the_sit_an_images_scores_do_not_depend_on_its_batch():
    model, levels = build().eval(), random_levels(4)
    together = model(levels)
    assert together.o_sit is None
    for i in range(4):
        alone = model(tuple(level[i : i + 1] for level in levels))
        assert_allclose(alone.g[0].detach(), together.g[i].detach(), rtol=1e-12)
        assert_allclose(alone.o[0].detach(), together.o[i].detach(), rtol=1e-12)


def test_in_training_the_sit_mixes_the_batch_and_nothing_else_does():
    model, levels = build(), random_levels(4)
    fewer = model(tuple(level[:2] for level in levels))
    together = model(levels)
    assert_allclose(fewer.o.detach(), together.o[:2].detach(), rtol=1e-12)
    assert not np.allclose(fewer.o_sit.detach(), together.o_sit[:2].detach(), rtol=1e-4)


def test_permuting_classes_permutes_the_scores():
    model, levels = build(), random_levels()
    order = torch.tensor([3, 0, 4, 1, 2])
    permuted = DRMN(model.config, SPECS, attributes()[order], SEEN[order]).double()
    state = model.state_dict() | {"semantics": model.semantics[order], "seen": SEEN[order]}
    for name in ("weight", "bias"):
        state[f"global_branch.linear.{name}"] = state[f"global_branch.linear.{name}"][order]
    permuted.load_state_dict(state)
    before, after = model(levels), permuted(levels)
    for name in ("o", "g", "o_sit"):
        expected = getattr(before, name)[:, order].detach()
        assert_allclose(getattr(after, name).detach(), expected, rtol=1e-12)


def test_permuting_attributes_leaves_the_scores():
    model, levels = build(), random_levels()
    order = torch.tensor([2, 0, 3, 1])
    permuted = DRMN(model.config, SPECS, attributes()[:, order], SEEN).double()
    state = model.state_dict()
    state |= {"semantics": model.semantics[:, order], "prototypes": model.prototypes[order]}
    permuted.load_state_dict(state)
    before, after = model(levels), permuted(levels)
    assert_allclose(after.o.detach(), before.o.detach(), rtol=1e-10)
    assert_allclose(after.o_sit.detach(), before.o_sit.detach(), rtol=1e-10)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float32])
def test_logits_are_float32_and_every_parameter_learns(precision):
    model = build().float()
    levels = tuple(level.float() for level in random_levels())
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        scores = model(levels)
        losses = total_loss(scores, torch.tensor([0, 1, 3]), SEEN, Config())
    losses.total.backward()
    assert {scores.o.dtype, scores.g.dtype, scores.o_sit.dtype} == {torch.float32}
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


def test_the_same_seed_builds_the_same_weights():
    first, second = (build(seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["prototypes"], build(seed=4).prototypes)
