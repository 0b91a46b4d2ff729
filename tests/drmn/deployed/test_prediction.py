"""Probabilities and decisions: Algorithm 1's, with and without classes never trained."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import ATTRIBUTE_NAMES, model_of, tiny_pixels, tiny_trainer

from drmn.config import InferenceConfig
from drmn.deployed.given_classes import parse_classes
from drmn.deployed.prediction import Predictor, probabilities
from drmn.errors import ConfigError, DataError
from drmn.inference import gzsl_predict

HEADER = "class," + ",".join(ATTRIBUTE_NAMES)
TABLE = f"{HEADER}\nkoala,1,0,2,0,0\nquokka,0,1,0,0,3\n"


@pytest.fixture(scope="module")
def model():
    return model_of(tiny_trainer())


def _parsed(text):
    return parse_classes(text, ATTRIBUTE_NAMES, ["class 0"], origin="table")


@given(seed=st.integers(0, 10_000), beta=st.floats(0, 1), has_g=st.booleans())
@settings(max_examples=50, deadline=None)
def test_the_most_probable_class_is_algorithm_1s(seed, beta, has_g):
    random = torch.Generator().manual_seed(seed)
    o, g = 3 * torch.randn(2, 8, 6, generator=random)
    seen = torch.tensor([True, False, True, True, False, True])
    config = InferenceConfig(beta=beta)
    branch = g if has_g else None
    found = probabilities(o, branch, seen, config)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(8, dtype=torch.float64))
    assert torch.equal(found.argmax(dim=1), gzsl_predict(o, branch, seen, config))


def test_predictions_are_over_the_models_classes(model):
    predictor = Predictor(model)
    (found,) = predictor.predict(tiny_pixels(1))
    assert predictor.class_names == model.class_names
    assert found.probabilities.shape == (6,)
    assert float(found.attributes.norm()) == pytest.approx(1.0)
    torch.testing.assert_close(found.attention.sum(dim=1), torch.ones(5))


def test_an_image_is_judged_alike_in_any_company(model):
    predictor, pixels = Predictor(model), tiny_pixels(3)
    together = predictor.predict(pixels)
    for each, alone in zip(together, [predictor.predict([p])[0] for p in pixels], strict=True):
        torch.testing.assert_close(each.probabilities, alone.probabilities, rtol=1e-5, atol=1e-7)


def test_given_classes_are_answered_by_their_attributes_alone(model):
    pixels = tiny_pixels(1)
    (plain,) = Predictor(model).predict(pixels)
    values = ",".join(str(float(v)) for v in plain.attributes)
    given_classes = _parsed(f"{HEADER}\ntwin,{values}\n")
    predictor = Predictor(model, given_classes)
    (found,) = predictor.predict(pixels)
    assert predictor.class_names[found.decision] == "twin"  # its cosine with the image is 1
    assert predictor.seen.tolist() == [*model.seen.tolist(), False]


def test_only_given_classes_can_be_asked_for(model):
    predictor = Predictor(model, _parsed(TABLE), only_given=True)
    (found,) = predictor.predict(tiny_pixels(1))
    assert predictor.class_names == ("koala", "quokka")
    assert predictor.seen.tolist() == [False, False]
    assert float(found.probabilities.sum()) == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="none are given"):
        Predictor(model, only_given=True)


def test_a_table_may_order_its_columns_freely_and_is_normalised():
    found = _parsed(
        "attribute 4,attribute 0,class,attribute 1,attribute 2,attribute 3\n0,3,x,4,0,0"
    )
    assert found.names == ("x",)
    np.testing.assert_allclose(found.attributes, [[0.6, 0.8, 0, 0, 0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'class'"),
        (HEADER, "holds no class"),
        (HEADER.replace(",attribute 3", "") + "\nx,1,1,1,1", "missing: 'attribute 3'"),
        (HEADER + ",wings\nx,1,1,1,1,1,1", "no attribute of the model: 'wings'"),
        (HEADER + ",attribute 0\nx,1,1,1,1,1,1", "given twice: 'attribute 0'"),
        (f"{HEADER}\nx,1,1,1,1", "row 1 has 5 values"),
        (f"{HEADER}\nx,1,1,nan,1,1", "'attribute 2' of 'x' is 'nan'"),
        (f"{HEADER}\nx,1,1,inf,1,1", "finite"),
        (f"{HEADER}\nx,1,1,,1,1", "'attribute 2' of 'x' is ''"),
        (f"{HEADER}\nx,0,0,0,0,0", "all attributes of 'x' are 0"),
        (f"{HEADER}\n,1,1,1,1,1", "has no name"),
        (f"{HEADER}\nclass 0,1,1,1,1,1", "'class 0' in row 1 is taken"),
        (f"{HEADER}\nx,1,1,1,1,1\nx,1,1,1,1,1", "'x' in row 2 is taken"),
    ],
)
def test_a_wrong_table_is_refused_by_name(text, message):
    with pytest.raises(DataError, match=message):
        _parsed(text)
