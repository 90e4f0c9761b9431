"""The ids of stream entries: one number, ``milliseconds << 64 | sequence``.

So ids compare as they should, and the one after `id` is ``id + 1``.
"""

from __future__ import annotations

from typing import TypeAlias

StreamID: TypeAlias = int

# The highest number of milliseconds, and the highest sequence number.
MAX_PART = (1 << 64) - 1

MIN_ID: StreamID = 0
MAX_ID: StreamID = (1 << 128) - 1
