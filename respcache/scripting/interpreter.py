"""To be thrown away: helper lua's interpreter comes here."""

from __future__ import annotations
from hashlib import sha1
from typing import Any
from respcache.errors import CommandError, printable
from respcache.resp.types import NullArray, Status, Verbatim


class Script:
    def __init__(self, body: Any, sha: str) -> None:
        self.body = body
        self.sha = sha


from respcache.scripting.host import Killed


class Interpreter:
    def __init__(self, host: Any, memory: int) -> None:
        import lupa.lua51 as lupa

        self.host = host
        self.lua = lupa.LuaRuntime(encoding=None, unpack_returned_tuples=True, register_eval=False)
        self.killed = None
        g = self.lua.globals()
        self.lua.execute(b"""
        function __wrap(py, raise) return function(...) local ok, v = py(...) if not ok and raise then error(v, 0) end return v end end
        function __run(f) local r = {pcall(f)} return r[1], r[2] end
        function __hook(py) debug.sethook(function() if py() then error('killed', 0) end end, '', 100000) end
        redis = {}
        """)
        wrap = g[b"__wrap"]
        g[b"redis"][b"call"] = wrap(self._call, True)
        g[b"redis"][b"pcall"] = wrap(self._call, False)
        g[b"redis"][b"setresp"] = self._setresp
        g[b"__hook"](self._poll)

    def _setresp(self, n: int) -> None:
        self.host.protocol = n

    def _poll(self) -> bool:
        if self.killed:
            return True
        try:
            self.host.interrupted()
        except Killed as k:
            self.killed = k
            return True
        return False

    def _call(self, *argv: Any) -> Any:
        words = [a if isinstance(a, bytes) else str(a).encode() for a in argv]
        try:
            return True, self.to_lua(self.host.call(words))
        except CommandError as e:
            return False, self.lua.table_from({b"err": e.text.encode("utf-8", "surrogateescape")})

    def to_lua(self, r: Any) -> Any:
        if r is None or isinstance(r, NullArray):
            return False
        if isinstance(r, Status):
            return self.lua.table_from({b"ok": r.text})
        if isinstance(r, CommandError):
            return self.lua.table_from({b"err": r.text.encode()})
        if isinstance(r, dict):
            return self.lua.table_from([self.to_lua(x) for kv in r.items() for x in kv])
        if isinstance(r, (list, tuple)):
            return self.lua.table_from([self.to_lua(x) for x in r])
        if isinstance(r, Verbatim):
            return r.text
        if isinstance(r, bytearray):
            return bytes(r)
        return r

    def from_lua(self, v: Any) -> Any:
        import lupa.lua51 as lupa

        if v is None or v is False:
            return None
        if v is True:
            return 1
        if isinstance(v, float):
            return int(v)
        if lupa.lua_type(v) == "table":
            if v[b"err"] is not None:
                return CommandError(printable(v[b"err"]))
            if v[b"ok"] is not None:
                return Status(v[b"ok"])
            out = []
            i = 1
            while v[i] is not None:
                out.append(self.from_lua(v[i]))
                i += 1
            return out
        return v

    def compile(self, text: bytes) -> Script:
        sha = sha1(text).hexdigest()
        ok = self.lua.eval(b"function(t, n) return loadstring(t, n) end")(text, b"@user_script")
        if isinstance(ok, tuple):
            raise CommandError("ERR Error compiling script (new function): " + printable(ok[1]))
        return Script(ok, sha)

    def run(self, script: Script, keys: list[bytes], args: list[bytes]) -> Any:
        g = self.lua.globals()
        g[b"KEYS"] = self.lua.table_from(keys)
        g[b"ARGV"] = self.lua.table_from(args)
        ok, v = g[b"__run"](script.body)
        if self.killed is not None:
            k, self.killed = self.killed, None
            raise CommandError(k.text)
        if not ok:
            import lupa.lua51 as lupa

            text = v[b"err"] if lupa.lua_type(v) == "table" else b"ERR " + v
            raise CommandError(printable(text) + f" script: {script.sha}, on @user_script:1.")
        r = self.from_lua(v)
        if isinstance(r, CommandError):
            raise r
        return r
