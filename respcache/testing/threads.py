"""Blocking jobs beside an event loop, be it trio's or asyncio's."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(job: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Run a blocking job beside the event loop; a cancellation is held back until the job is done."""
    import sniffio

    if sniffio.current_async_library() == "trio":
        import trio

        with trio.CancelScope(shield=True):
            return await trio.to_thread.run_sync(lambda: job(*args, **options))
    return await _in_asyncio_thread(lambda: job(*args, **options))


async def _in_asyncio_thread(job: Callable[[], T]) -> T:
    """As `in_thread`. Cancelled meanwhile, it raises CancelledError when the job is done, whatever came of that."""
    import asyncio

    worker = asyncio.ensure_future(asyncio.to_thread(job))
    cancelled: asyncio.CancelledError | None = None
    while not worker.done():
        try:
            await asyncio.wait([worker])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return worker.result()
