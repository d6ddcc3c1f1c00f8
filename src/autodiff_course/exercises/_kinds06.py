"""The exercises of notebook 06 whose right answers are tried once more, elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from .display import CheckResult
from .framework import Exercise


class TriedAgain(Exercise):
    """An exercise whose right answers must work where the notebook needs them, too."""

    _trial, _status = staticmethod(lambda answer: ""), "wrong"

    def trial(self, *, status: str = "wrong") -> Callable[[Callable], Callable]:
        """Decorate what tries a right answer again, and returns the complaint or nothing."""

        def keep(function):
            self._trial, self._status = function, status
            return function

        return keep

    def _checked(self, answer, seconds, seed):
        result = super()._checked(answer, seconds, seed)
        complaint = self._trial(answer) if result else ""
        return CheckResult(self._status, complaint) if complaint else result
