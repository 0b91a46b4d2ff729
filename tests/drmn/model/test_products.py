"""Products and the linear layer agree with PyTorch's own, for every layout and dtype."""

import pytest
import torch
from numpy.testing import assert_allclose

from drmn.model.products import Linear, product


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
def test_product_takes_any_strides(dtype, tolerance, transposed):
    torch.manual_seed(0)
    x, y = torch.randn(33, 70, dtype=dtype), torch.randn(70, 41, dtype=dtype)
    x, y = (
        t.t().contiguous().t() if flip else t for t, flip in zip((x, y), transposed, strict=True)
    )
    assert_allclose(product(x, y), x.double() @ y.double(), rtol=tolerance, atol=tolerance * 10)


def test_product_of_slices_of_larger_tensors():
    blocks = torch.randn(3, 9, 14)
    assert_allclose(product(blocks[1], blocks[2].t()), blocks[1] @ blocks[2].T, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("frozen_input", [True, False])
def test_linear_equals_pytorchs_with_gradients(bias, frozen_input):
    ours, theirs = Linear(5, 3, bias=bias).double(), torch.nn.Linear(5, 3, bias=bias).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=not frozen_input)
    gradients = []
    for layer in (ours, theirs):
        x.grad = None
        layer(x).square().sum().backward()
        gradients.append([x.grad, *(weight.grad for weight in layer.parameters())])
    for left, right in zip(*gradients, strict=True):
        assert (left is None) == (right is None)
        if left is not None:
            assert_allclose(left, right, rtol=1e-12)


def test_linear_follows_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        assert Linear(5, 3)(torch.randn(2, 5)).dtype == torch.bfloat16
