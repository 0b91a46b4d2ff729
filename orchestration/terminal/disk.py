"""Errors of a disk, told as what a user can mend rather than as a bug."""

import errno

from drmn.errors import DrmnError

_TROUBLES = {
    errno.ENOSPC: ("no space is left", "make room there"),
    errno.EDQUOT: ("the disk quota is used up", "make room there, or have the quota raised"),
    errno.EROFS: ("the file system is read-only", "mount it writable, or name another folder"),
    errno.EIO: ("the device fails", "look at the machine's log (dmesg) and replace the device"),
    errno.EACCES: ("access is denied", "correct the folder's owner and permissions"),
    errno.EPERM: ("access is denied", "correct the folder's owner and permissions"),
}


def disk_trouble(error: OSError) -> DrmnError | None:
    """``error`` in words, where it is a disk's; None where it is anything else."""
    known = _TROUBLES.get(error.errno or 0)
    if known is None:
        return None
    what, remedy = known
    place = f" at {error.filename}" if error.filename else ""
    return DrmnError(
        f"writing or reading failed{place}: {what} ({error.strerror})",
        f"{remedy}; then give the command again, or go on as is said above: what was complete "
        "before is kept",
    )
