"""All operations of the product that the matrix fails at each of their writes."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from crash_books import Books
from crash_data import Features, GivenFeatures, Pixels
from crash_files import StudyFiles, SweepFiles, TuneState
from crash_pages import Pages
from crash_registry import Registering
from crash_remote import RemoteCheckpoints, RemoteFeatures, ReplacedFeatures
from crash_servers import SERVER_OF
from crash_spool import Spooling
from crash_stores import Publishing, PublishingParts
from crash_training import Checkpoints, FinalFiles, Model
from fault_matrix import Writer

_SERVED: Mapping[str, Callable[[str], Writer]] = {
    "spool": Spooling,
    "registry": Registering,
    "publish": Publishing,
    "publish in parts": PublishingParts,
    "remote features": RemoteFeatures,
    "replaced features": ReplacedFeatures,
    "remote checkpoint": RemoteCheckpoints,
}


def writers(
    names: Sequence[str] = (), servers: Mapping[str, str] = MappingProxyType({})
) -> list[Writer]:
    """Those of ``names``; all where none is given.

    Args:
        servers: addresses of those that run (see SERVER_OF); an operation that needs another one
            is left out.
    """
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
        Pages(),
        TuneState(),
    ]
    known += [
        operation(servers[SERVER_OF[name]])
        for name, operation in _SERVED.items()
        if SERVER_OF[name] in servers
    ]
    return [each for each in known if not names or each.name in names]
