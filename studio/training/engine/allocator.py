"""glibc gives every large block of memory back to the system and fetches it anew at each step: here it keeps them."""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of malloc.h
_NEVER = 2**31 - 1


def keep_memory() -> bool:
    """Tell malloc neither to trim nor to map blocks of their own. Whether it listened; False on other C libraries."""
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_TRIM_THRESHOLD, _NEVER)) and bool(libc.mallopt(_MMAP_MAX, 0))
