"""Two ways to do the same thing on a page: with a mouse, and with the keys alone."""

from __future__ import annotations

from typing import Protocol

from playwright.sync_api import Locator, expect


class Hand(Protocol):
    """What a person does to a page."""

    def press(self, what: Locator) -> None:
        """A link, a button, the head of a menu, a box to tick."""

    def write(self, where: Locator, text: str) -> None:
        """Put a text in the place of what stands in a field."""

    def choose(self, where: Locator, label: str) -> None:
        """One entry of a list, by what it is called."""


class Mouse:
    """Points and clicks; only texts are typed."""

    def press(self, what: Locator) -> None:
        what.click()

    def write(self, where: Locator, text: str) -> None:
        where.click()
        where.fill("")
        where.page.keyboard.type(text)

    def choose(self, where: Locator, label: str) -> None:
        where.select_option(label=label)


class Keys:
    """Never points: goes on with Tab until the focus is where it is wanted."""

    def press(self, what: Locator) -> None:
        self._go(what)
        kind = what.evaluate("each => each.type")
        what.page.keyboard.press("Space" if kind in ("checkbox", "radio") else "Enter")

    def write(self, where: Locator, text: str) -> None:
        self._go(where)
        where.page.keyboard.press("Control+A")
        where.page.keyboard.type(text)

    def choose(self, where: Locator, label: str) -> None:
        self._go(where)
        where.page.keyboard.type(label)
        assert where.evaluate("each => each.selectedOptions[0].label") == label

    def _go(self, wanted: Locator) -> None:
        """Tab, forwards and round once, at most so often as there is something to stop at."""
        expect(wanted).to_be_visible()
        page = wanted.page
        ahead = wanted.evaluate("each => Boolean(document.activeElement.compareDocumentPosition(each) & 2)")
        for _ in range(300):
            if wanted.evaluate("each => each === document.activeElement"):
                return
            page.keyboard.press("Shift+Tab" if ahead else "Tab")
        raise AssertionError(f"no key leads to {wanted}")
