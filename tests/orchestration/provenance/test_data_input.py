"""A data set as MLflow's input: named by data and split, small enough for MLflow's columns."""

import json
from pathlib import Path

from distributions import write_folder
from mlflow.utils.validation import MAX_DATASET_DIGEST_SIZE

from drmn.config import Config
from drmn.data.dataset import load_dataset
from drmn.data.splits import test_split, validation_split
from orchestration.provenance.data_input import data_input


def test_each_split_of_a_data_set_is_an_input_of_its_own(tmp_path: Path) -> None:
    dataset = load_dataset("mine", write_folder(tmp_path / "MINE").parent)
    chosen, tested = validation_split(dataset, Config().validation), test_split(dataset)
    validation, test = data_input(dataset, chosen), data_input(dataset, tested)
    assert (validation.context, test.context) == ("validation", "test")
    assert validation.fields["digest"] != test.fields["digest"]
    assert test.fields["digest"] == f"{dataset.data_hash[:8]}-{tested.hash[:8]}"
    assert len(test.fields["digest"]) <= MAX_DATASET_DIGEST_SIZE
    profile = json.loads(test.fields["profile"])
    assert profile["num_images_train"] == len(dataset.trainval)
    assert profile["num_classes_seen"] + profile["num_classes_unseen"] == len(dataset.class_names)
    assert profile["data_hash"] == dataset.data_hash
    assert json.loads(test.fields["source"])["uri"] == dataset.root.resolve().as_uri()
