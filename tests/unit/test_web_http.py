"""Answers in JSON: also of what JSON cannot say, and long ones piece by piece."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from understudy.web.http import Answer, dumped, listed


@dataclass
class Item:
    number: float

    def as_dict(self):
        return {"number": self.number}


async def written(head, items) -> tuple[list[bytes], object]:
    pieces = [piece async for piece in listed(head, "items", items)]
    return pieces, json.loads(b"".join(pieces))


@pytest.mark.parametrize("head", [{}, {"a": 1, "b": [None, "é"]}])
@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 2000])
async def test_a_long_list_is_written_in_pieces_that_are_together_one_document(head, count):
    pieces, told = await written(head, [Item(number) for number in range(count)])
    assert told == {**head, "items": [{"number": number} for number in range(count)]}
    assert max(map(len, pieces)) < 2000


async def test_what_json_cannot_say_is_null_in_a_list_too():
    _, told = await written({"whole": float("nan")}, [Item(float("inf")), 7, "half \ud800"])
    assert told == {"whole": None, "items": [{"number": None}, 7, "half ?"]}
    assert json.loads(dumped({"nan": float("nan"), "in": ({1: float("-inf")},)})) == {"nan": None, "in": [{"1": None}]}


async def test_the_head_of_a_list_may_be_asked_for_alone():
    sent = []

    async def send(message):
        sent.append(message)

    await Answer(listed({}, "items", [1, 2])).send(send, bodiless=True)
    assert [message.get("body") for message in sent] == [None, b""]
