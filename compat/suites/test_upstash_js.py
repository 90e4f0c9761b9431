"""How the output of bun is read, and which files run together."""

from __future__ import annotations

import re
from pathlib import Path

from compat.suites.upstash_js import _all_but, _results, _runs

OUTPUT = """\
bun test v1.3.6 (d530ed99)

pkg/commands/append.test.ts:
(pass) when key is not set > it appends [1.20ms]
12 |   throw new UpstashError(error);
           ^
UpstashError: ERR unknown command 'geoadd', with args beginning with: 'k'
      at request (/somewhere/pkg/http.ts:296:13)
(fail) when key is set > it appends [0.80ms]
(skip) later

pkg/commands/get.test.ts:
(pass) gets [1.02s]

1 tests skipped:
(skip) later

1 tests failed:
(fail) when key is set > it appends [0.80ms]

 2 pass
"""


def test_results_have_their_file_and_what_went_wrong() -> None:
    assert list(_results(OUTPUT)) == [
        ("pkg/commands/append.test.ts: when key is not set > it appends", "pass", ""),
        (
            "pkg/commands/append.test.ts: when key is set > it appends",
            "fail",
            "UpstashError: ERR unknown command 'geoadd', with args beginning with: 'k'",
        ),
        ("pkg/commands/append.test.ts: later", "skip", ""),
        ("pkg/commands/get.test.ts: gets", "pass", ""),
    ]


def test_a_file_of_which_tests_are_left_out_runs_by_itself(tmp_path: Path) -> None:
    for name in ("a", "b", "json_get", "json_set", "partly"):
        (tmp_path / "pkg").mkdir(exist_ok=True)
        (tmp_path / "pkg" / f"{name}.test.ts").touch()
    left_out = {"pkg/json_*.test.ts": "a module", "pkg/partly.test.ts: group > one (of them)": "another reason"}
    alone, together = _runs(tmp_path, left_out, "")
    assert alone == (["./pkg/partly.test.ts"], _all_but(["group > one (of them)"]))
    assert together == (["./pkg/a.test.ts", "./pkg/b.test.ts"], "")
    assert list(_runs(tmp_path, left_out, "json")) == []


def test_the_pattern_takes_all_tests_but_the_ones_left_out() -> None:
    pattern = re.compile(_all_but(["group > one (of them)", "other > *"]))
    assert pattern.search("group two")
    assert pattern.search("group one (of them), too")
    assert not pattern.search("group one (of them)")
    assert not pattern.search("other anything")
