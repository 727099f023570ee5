"""A bound on work, for work that can grow faster than what a stranger sends.

What is about to be done is counted before it is done: values copied, entries parsed, alternatives joined. So
a request's cost is known to end, whatever its form, and a test counts it without a clock.
"""

from __future__ import annotations


class BudgetSpent(Exception):
    """More work than allowed; `where` is the place at which it was noticed."""

    def __init__(self, where: str) -> None:
        super().__init__(f"too much work at {where}" if where else "too much work")
        self.where = where


class Budget:
    """Units of work that may still be done; for one request and one thread."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.left = size

    @property
    def spent(self) -> int:
        """Units of work that were asked for so far, one refusal included."""
        return self.size - self.left

    def spend(self, amount: int = 1, where: str = "") -> None:
        """Count work that is about to be done.

        Args:
            amount: In units, 0 or more.
            where: What it is done for, for the refusal.

        Raises:
            BudgetSpent: There is not so much left; nor will there be for any later work.
        """
        self.left -= amount
        if self.left < 0:
            raise BudgetSpent(where)
