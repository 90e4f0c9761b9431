"""Compares what came back on one connection with what its requests deserve."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from compat.fuzz_http.case import ANYTHING, Case, Closing, End, Want
from compat.fuzz_http.reader import Answer, Reader


@dataclass
class Verdict:
    """What is wrong (empty if nothing is), and what the case has to have written."""

    problem: str = ""
    must: dict[bytes, bytes] = field(default_factory=dict)
    may: dict[bytes, bytes] = field(default_factory=dict)


def complete(case: Case, reader: Reader) -> bool:
    """True if the client has no reason to read on: all is answered, and nobody is expected to close."""
    wants = case.wants
    if case.free or case.resp or case.end is End.HALF or len(reader.answers) < len(wants) or not reader.idle:
        return bool(wants) and not case.free and len(reader.answers) >= len(wants) and wants[-1].stream
    return not wants or wants[-1].closing is not Closing.ALWAYS


def judge(case: Case, reader: Reader, ended: str) -> Verdict:
    """`ended` is "closed" or "reset" (by the server), "left" (by this client), or "hang"."""
    verdict = Verdict()
    answers, wants = reader.answers, case.wants
    if ended == "hang":
        verdict.problem = f"hangs: {len(answers)} of {len(wants)} answers, then nothing for {case.within:.0f} s"
    if case.free or case.resp:
        problem = next(filter(None, map(_server_error, answers)), "")
        verdict.problem = verdict.problem or problem
        return verdict
    over = False  # nothing may follow
    for index, want in enumerate(wants):
        if index < len(answers) and not over:
            answer = answers[index]
            problem = _compare(want, answer)
            if problem and not verdict.problem:
                verdict.problem = f"answer {index + 1} of {len(wants)}: {problem}"
            if answer.status == 200:
                verdict.must |= want.writes
            over = answer.says_close and want.closing is not Closing.NEVER
        elif ended == "left" and not over:
            verdict.may |= want.writes
        else:
            verdict.problem = verdict.problem or _missing(wants, index, answers, ended)
            if ended == "reset" and want.silence:  # the answer may have been lost on its way
                verdict.may |= want.writes
    if len(answers) > len(wants) and not verdict.problem and case.end not in (End.VANISH, End.RESET):
        surplus = answers[len(wants)]
        verdict.problem = (
            f"{len(answers)} answers to {len(wants)} requests; one too many: {surplus.status} {surplus.body[:200]!r}"
        )
    return verdict


def _missing(wants: list[Want], index: int, answers: list[Answer], ended: str) -> str:
    """What is wrong with having no answer to this request."""
    if wants[index].silence and index == len(answers):
        return ""
    if 0 < len(answers) <= index and wants[len(answers) - 1].closing is not Closing.NEVER:
        return ""  # it was closed after an answer, and might be
    if len(answers) < index and wants[len(answers)].silence:
        return ""  # it was closed instead of an answer, and might be
    return f"{ended} without answer {index + 1} of {len(wants)} ({sorted(wants[index].statuses)})"


def _server_error(answer: Answer) -> str:
    if answer.status >= 500 and answer.status not in (501, 505):
        return f"status {answer.status}: {answer.body[:200]!r}"
    return ""


def _compare(want: Want, answer: Answer) -> str:
    """What is wrong with this answer; empty if nothing is."""
    if answer.status not in want.statuses:
        return f"status {answer.status}, not {sorted(want.statuses)}: {answer.body[:200]!r}"
    if want.head or answer.stream:
        return ""
    if want.closing is Closing.NEVER and answer.says_close:
        return f"it closes the connection without need (status {answer.status}: {answer.body[:200]!r})"
    if not answer.headers.get(b"content-type", b"").startswith(b"application/json"):
        if answer.status == 200 and want.body is not ANYTHING:
            return f"no JSON: {answer.headers.get(b'content-type')!r}"
        return ""
    try:
        body: Any = json.loads(answer.body)
    except ValueError:
        return f"broken JSON: {answer.body[:200]!r}"
    if answer.status == 200 and want.body is not ANYTHING and body != want.body:
        return f"{answer.body[:200]!r}, not {str(want.body)[:200]}"
    if answer.status != 200 and not (isinstance(body, dict) and isinstance(body.get("error"), str)):
        return f"an error without its text: {answer.body[:200]!r}"
    return ""
