"""Who may ask: the token of a request, and what browsers may send here on behalf of other people's pages.

A page can make a browser send requests to this machine. Where a password is set they lack the token. Where none is,
they are known by what browsers say: where a request comes from (`Origin`, `Sec-Fetch-Site`), and which name they have
looked up (`Host`: a page may have a name that was made to point here). Pages of the origins in ``http-allow-origin``
may ask.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING

from respcache import errors
from respcache.server.doors.http.responses import Response, refused

if TYPE_CHECKING:
    from respcache.config import Config
    from respcache.server.doors.http.requests import Request

_OWN_SITES = (b"", b"none", b"same-origin")
# An IP address, with or without a port.
_ADDRESS = re.compile(rb"(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])(:\d+)?", re.IGNORECASE)
# Names that nobody can register: of this machine, of a local network, of containers beside each other.
_LOCAL_NAME = re.compile(rb"([a-z0-9_-]+|([a-z0-9_-]+\.)+(localhost|local|internal|test))\.?(:\d+)?", re.IGNORECASE)
_ALLOWED_HEADERS = b"authorization, content-type, upstash-encoding, upstash-response-format, upstash-sync-token"
_TELEMETRY = b"upstash-telemetry-sdk, upstash-telemetry-runtime, upstash-telemetry-platform"
_A_DAY = b"86400"
_FOREIGN_PAGE = (
    "ERR a page of another site has sent this request: set requirepass and send the token, or add the origin of the "
    "page to http-allow-origin"
)
_FOREIGN_NAME = (
    "ERR the Host of this request may be anybody's name: set requirepass and send the token, ask by IP address, or add "
    "the name with its scheme to http-allow-origin"
)


class Guard:
    """Looks at the head of each request."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def refusal(self, request: Request) -> Response | None:
        """The answer to a request that is not to be carried out."""
        if self._config.requirepass:
            return self._look_at_token(request)
        return self._look_at_browser(request)

    def _look_at_token(self, request: Request) -> Response | None:
        token = _token(request)
        wanted = self._config.requirepass.encode("utf-8", "surrogateescape")
        if token is not None and hmac.compare_digest(token, wanted):
            return None
        text = errors.NO_AUTH if token is None else errors.WRONG_PASS
        return refused(401, text, (b"www-authenticate", b"Bearer"))

    def _look_at_browser(self, request: Request) -> Response | None:
        origin = request.header(b"origin")
        if origin and self._allows(origin):
            return None
        same = request.header(b"sec-fetch-site") in _OWN_SITES and (not origin or _is_of(origin, request))
        if not same:
            return refused(403, _FOREIGN_PAGE)
        host = request.header(b"host")
        if host and not _ADDRESS.fullmatch(host) and not _LOCAL_NAME.fullmatch(host) and not self._names(host):
            return refused(403, _FOREIGN_NAME)
        return None

    # -- CORS

    def headers(self, request: Request) -> list[tuple[bytes, bytes]]:
        """What lets a page of an allowed origin read the response."""
        origin = request.header(b"origin")
        if not self._config.http_allow_origin:
            return []
        headers = [(b"vary", b"Origin")]
        if origin and self._allows(origin):
            headers.append((b"access-control-allow-origin", origin))
            headers.append((b"access-control-expose-headers", b"upstash-sync-token"))
        return headers

    def preflight(self, request: Request) -> Response | None:
        """The answer to a browser that asks whether a page may ask; None if this is something else."""
        if request.method != b"OPTIONS" or not request.header(b"access-control-request-method"):
            return None
        if not self._allows(request.header(b"origin")):
            return refused(403, "ERR http-allow-origin does not have this origin")
        headers = (
            (b"access-control-allow-methods", b"GET, HEAD, POST, PUT"),
            (b"access-control-allow-headers", b"%b, %b" % (_ALLOWED_HEADERS, _TELEMETRY)),
            (b"access-control-max-age", _A_DAY),
        )
        return Response(204, b"", b"", headers)

    def _allows(self, origin: bytes) -> bool:
        return any(allowed in ("*", origin.decode("latin-1")) for allowed in self._config.http_allow_origin)

    def _names(self, host: bytes) -> bool:
        """True if the host is that of an allowed origin."""
        return any(allowed.partition("://")[2] == host.decode("latin-1") for allowed in self._config.http_allow_origin)


def _token(request: Request) -> bytes | None:
    scheme, _, token = request.header(b"authorization").partition(b" ")
    if scheme.lower() == b"bearer":
        return token.strip()
    return request.parameter(b"_token")


def _is_of(origin: bytes, request: Request) -> bool:
    """True if the page is of this very server."""
    _, has_host, host = origin.partition(b"://")  # not so "null", which pages without an origin send
    return bool(has_host) and host == request.header(b"host")
