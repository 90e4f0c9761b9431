"""Errors: what goes over the wire when a command or a stream is refused.

`kinds` holds the exceptions and the counts for INFO; `texts` every wire text, by family, but for those of scripts and
functions, which are in `scripting`. Importers take all from here.
"""

from __future__ import annotations

from respcache.errors.kinds import CommandError as CommandError
from respcache.errors.kinds import ErrorCounts as ErrorCounts
from respcache.errors.kinds import ProtocolError as ProtocolError
from respcache.errors.kinds import printable as printable
from respcache.errors.scripting import *  # noqa: F403 - the list of texts is kept once, there
from respcache.errors.texts import *  # noqa: F403 - as above
