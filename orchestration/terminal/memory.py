"""Errors of a memory that is too small, told as what a user can mend rather than as a bug."""

import errno
import resource

from drmn.errors import DrmnError

_ENOUGH_BYTES = 3_000_000_000
"""Of address space, for `drmn train` on sprites; with 2 GB a C++ library aborts the process."""

_WORDS = (
    "failed to map segment",  # the loader of shared libraries
    "cannot allocate memory",
    "can't allocate memory",  # PyTorch on the CPU
    "out of memory",  # PyTorch on CUDA
)


def memory_trouble(error: Exception) -> DrmnError | None:
    """``error`` in words, where memory was refused; None where it is anything else."""
    said = str(error).strip().partition("\n")[0]
    is_refused = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    if not is_refused and not any(words in said.lower() for words in _WORDS):
        return None
    return DrmnError(
        f"there is not enough memory ({said or 'MemoryError'})",
        "give the command more (ulimit -v, the container's or the job's limit), or make it need "
        "less: --set training.classes_per_batch=…, --max-concurrent; then give it again, or go on "
        "as is said above",
    )


def warning_of_limit() -> str:
    """What to expect where the address space is limited to too little; "" elsewhere.

    A library that is refused memory may abort the process, and nothing could be said then.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit >= _ENOUGH_BYTES:
        return ""
    return (
        f"the address space is limited to {limit / 1e9:.1f} GB (ulimit -v), and PyTorch may abort "
        f"below {_ENOUGH_BYTES / 1e9:.0f} GB: raise the limit"
    )
