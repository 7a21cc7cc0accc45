"""Every name of the contract exists, with its signature and default, and some test uses it."""

from __future__ import annotations

import contract_coverage
import tasker_core


def test_every_name_of_the_contract_is_there_and_used() -> None:
    lines = contract_coverage.lines()
    assert len(lines) > 100
    missing = {each.name: each.problems for each in lines if each.problems and not each.reason}
    assert missing == {}


def test_the_root_exports_exactly_the_contracts_names() -> None:
    rows = {each.name: each for each in contract_coverage.lines()}
    # `EventSubscriber` is code-defined.md's.
    names = set(tasker_core.__all__) - {"EventSubscriber"}
    assert len(tasker_core.__all__) - 1 == len(names) == rows["tasker_core"].members


def test_the_table_says_what_is_missing() -> None:
    row = {"section": "s", "name": "tasker_core.errors.RetryableError", "reason": None}
    for members, problem in (
        (["nothing"], "`nothing` is missing"),
        (["retryable=False"], "`retryable` is True, not False"),
        (["to_dict(deep)"], "has no parameter `deep`"),
    ):
        line = contract_coverage._line({**row, "members": members}, {"RetryableError", "nothing"})
        assert any(problem in each for each in line.problems)
        assert problem in contract_coverage.table([line])
    gone = {**row, "name": "tasker_core.errors.Nope", "members": []}
    assert "missing" in contract_coverage._line(gone, set()).problems[0]
