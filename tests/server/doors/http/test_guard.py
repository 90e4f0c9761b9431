"""Who may ask. Whatever is refused has not been carried out."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tests.support.house import House, house
from tests.support.http import HttpResponse

pytestmark = pytest.mark.trio

PAGE = "https://page.example"
PREFLIGHT = {"access_control_request_method": "POST", "access_control_request_headers": "authorization"}


async def ask(main: House, target: str = "/incr/n", method: str = "POST", **headers: str) -> HttpResponse:
    client = main.connect_http()
    client.ask(method, target, **headers)
    await main.settle()
    response = client.response()
    client.break_()
    await main.settle()
    return response


async def count(main: House) -> int:
    """How many of the requests were carried out."""
    client = main.connect()
    if main.parts.config.requirepass:
        client.send("AUTH", main.parts.config.requirepass)
    client.send("GET", "n")
    await main.settle()
    return int(client.replies()[-1] or 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer secret"},
        {"authorization": "bearer secret"},
        {"authorization": "BEARER   secret "},
        {"authorization": "Bearer secret", "origin": PAGE, "sec_fetch_site": "cross-site"},  # it has the token
        {"authorization": "Bearer secret", "host": "rebound.example"},
    ],
)
async def test_the_token(headers: dict[str, str]) -> None:
    async with house(1, requirepass="secret") as main:
        assert (await ask(main, **headers)).result == 1


async def test_the_token_as_a_parameter() -> None:
    async with house(1, requirepass="se/c+ret") as main:
        assert (await ask(main, "/incr/n?_token=se%2Fc%2Bret")).result == 1
        assert (await ask(main, "/set/n/5?EX=100&_token=se/c%2Bret&GET")).result == "1"
        assert (await ask(main, "/incr/n?_token=wrong")).error.startswith("WRONGPASS")
        assert await count(main) == 5


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, "NOAUTH"),
        ({"authorization": ""}, "NOAUTH"),
        ({"authorization": "secret"}, "NOAUTH"),
        ({"authorization": "Basic " + b64encode(b"default:secret").decode()}, "NOAUTH"),
        ({"authorization": "Bearer"}, "WRONGPASS"),
        ({"authorization": "Bearer wrong"}, "WRONGPASS"),
        ({"authorization": "Bearer secre"}, "WRONGPASS"),
        ({"authorization": "Bearer secret2"}, "WRONGPASS"),
        ({"authorization": "Bearer s\xe9cret"}, "WRONGPASS"),
    ],
)
async def test_without_the_token(headers: dict[str, str], error: str) -> None:
    async with house(1, requirepass="secret") as main:
        for target in ("/incr/n", "/metrics", "/health", "/subscribe/c", "/pipeline"):
            response = await ask(main, target, **headers)
            assert response.status == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.error.startswith(error)
        assert await count(main) == 0


async def test_the_password_may_change() -> None:
    """Even on a connection that has used the old one."""
    async with house(1, requirepass="old") as main:
        client = main.connect_http()
        statuses = []
        for token in ("old", "new", "new", "old"):
            client.ask("GET", "/incr/n", authorization=f"Bearer {token}")
            await main.settle()
            statuses.append(client.response().status)
            main.parts.config.requirepass = "new"
        assert statuses == [200, 200, 200, 401]
        main.parts.config.requirepass = ""
        client.ask("GET", "/incr/n", authorization="Bearer whatever")
        await main.settle()
        assert client.response().result == 4


async def test_a_password_that_is_set_while_a_request_is_under_way() -> None:
    async with house() as main:
        client, other = main.connect_http(), main.connect()
        client.post(["BLPOP", "l", "0"], ["INCR", "n"], to="/pipeline")
        await main.settle()
        other.send("CONFIG", "SET", "requirepass", "secret")
        other.send("RPUSH", "l", "x")
        await main.settle()
        assert client.response().json == [{"result": ["l", "x"]}, {"result": 1}]
        client.ask("GET", "/incr/n")
        await main.settle()
        assert client.response().status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer anything"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin", "origin": "http://localhost:8079", "host": "localhost:8079"},
        {"origin": "http://127.0.0.1:8079", "host": "127.0.0.1:8079"},
        {"host": "127.0.0.1"},
        {"host": "[::1]:8079"},
        {"host": "LOCALHOST:8079"},
        {"host": "redis:8079"},  # a container beside
        {"host": "my-mac.local"},
        {"host": "host.docker.internal:80"},
        {"host": "app.localhost"},
    ],
)
async def test_without_a_password_others_than_browsers_may_ask(headers: dict[str, str]) -> None:
    async with house() as main:
        response = await ask(main, **headers)
        assert response.result == 1
        assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": PAGE},
        {"origin": "null"},
        {"origin": "null", "host": ""},
        {"origin": "http://localhost:3000", "host": "localhost:8079"},
        {"origin": "http://localhost.evil.example", "host": "localhost"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "authorization": "Bearer anything"},
        {"host": "rebound.example"},
        {"host": "rebound.example:8079", "origin": "http://rebound.example:8079", "sec_fetch_site": "same-origin"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost.evil.example"},
        {"host": "evil.example#.local"},
        {"host": "127.0.0.1@evil.example"},
    ],
)
async def test_without_a_password_pages_of_others_may_not(headers: dict[str, str]) -> None:
    async with house() as main:
        for method, target in [("GET", "/incr/n"), ("POST", "/incr/n"), ("HEAD", "/incr/n"), ("GET", "/metrics")]:
            client = main.connect_http()
            client.ask(method, target, **headers)
            await main.settle()
            (response,) = client.responses(heads=method == "HEAD")
            assert response.status == 403
            assert not [name for name in response.headers if name.startswith("access-control")]
        assert await count(main) == 0


async def test_a_form_cannot_smuggle_commands() -> None:
    """What a form of a page sends, with its body in plain text."""
    async with house() as main:
        client = main.connect_http()
        client.ask("POST", "/pipeline", [["INCR", "n"]], content_type="text/plain", origin=PAGE)
        await main.settle()
        assert client.response().status == 403
        await main.advance(2000)
        assert await count(main) == 0


class TestAllowedOrigins:
    async def test_they_may_ask_and_read(self) -> None:
        async with house(1, http_allow_origin=f"https://other.example {PAGE}") as main:
            response = await ask(main, origin=PAGE, sec_fetch_site="cross-site", host="page.example")
            assert response.result == 1
            assert response.headers["access-control-allow-origin"] == PAGE
            assert response.headers["access-control-expose-headers"] == "upstash-sync-token"
            assert response.headers["vary"] == "Origin"

    @pytest.mark.parametrize("origin", ["https://page.example:8080", "http://page.example", "https://evil.example", ""])
    async def test_others_may_not(self, origin: str) -> None:
        async with house(1, http_allow_origin=PAGE) as main:
            response = await ask(main, origin=origin, sec_fetch_site="cross-site")
            assert response.status == 403
            assert "access-control-allow-origin" not in response.headers
            assert response.headers["vary"] == "Origin"
            assert await count(main) == 0

    async def test_all(self) -> None:
        async with house(1, http_allow_origin="*") as main:
            response = await ask(main, origin="null", sec_fetch_site="cross-site")
            assert response.result == 1
            assert response.headers["access-control-allow-origin"] == "null"

    async def test_errors_can_be_read_too(self) -> None:
        async with house(1, http_allow_origin=PAGE, requirepass="secret") as main:
            for target, status in [("/get", 400), ("/%zz", 400)]:
                response = await ask(main, target, origin=PAGE, authorization="Bearer secret")
                assert response.status == status
                assert response.headers["access-control-allow-origin"] == PAGE
            response = await ask(main, origin=PAGE)
            assert response.status == 401
            assert response.headers["access-control-allow-origin"] == PAGE

    async def test_it_may_change(self) -> None:
        async with house() as main:
            assert (await ask(main, origin=PAGE)).status == 403
            other = main.connect()
            other.send("CONFIG", "SET", "http-allow-origin", PAGE)
            await main.settle()
            assert (await ask(main, origin=PAGE)).result == 1


class TestPreflight:
    @pytest.mark.parametrize("settings", [{}, {"requirepass": "secret"}])
    async def test_of_an_allowed_origin(self, settings: dict[str, str]) -> None:
        async with house(1, http_allow_origin=PAGE, **settings) as main:
            response = await ask(main, "/pipeline", "OPTIONS", origin=PAGE, **PREFLIGHT)
            assert response.status == 204
            assert response.body == b""
            assert response.headers["access-control-allow-origin"] == PAGE
            assert "POST" in response.headers["access-control-allow-methods"]
            allowed = response.headers["access-control-allow-headers"].split(", ")
            assert {"authorization", "content-type", "upstash-encoding", "upstash-sync-token"} <= {*allowed}
            assert "upstash-telemetry-sdk" in allowed

    async def test_of_another_one(self) -> None:
        async with house() as main:
            response = await ask(main, "/pipeline", "OPTIONS", origin=PAGE, **PREFLIGHT)
            assert response.status == 403
            assert "access-control-allow-origin" not in response.headers

    async def test_options_for_anything_else(self) -> None:
        async with house() as main:
            response = await ask(main, "/", "OPTIONS")
            assert response.status == 405
            assert response.headers["allow"] == "GET, HEAD, POST, PUT"
