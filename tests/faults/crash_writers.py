"""All operations of the product that the matrix fails at each of their writes."""

from collections.abc import Sequence

from crash_books import Books
from crash_data import Features, GivenFeatures, Pixels
from crash_files import StudyFiles, SweepFiles, TuneState
from crash_spool import Spooling
from crash_training import Checkpoints, FinalFiles, Model
from fault_matrix import Writer


def writers(names: Sequence[str] = (), mlflow: str = "") -> list[Writer]:
    """Those of ``names``; all where none is given. ``mlflow``: a server's address, "" for none."""
    known: list[Writer] = [
        Features(),
        GivenFeatures(),
        Pixels(),
        Books(),
        Checkpoints(),
        FinalFiles(),
        Model(),
        SweepFiles(),
        StudyFiles(),
        TuneState(),
    ]
    if mlflow:
        known.append(Spooling(mlflow))
    return [each for each in known if not names or each.name in names]
