from orders import Ship, charge


def test_charge(run_step):
    order = {"validate_order": {"total": 3}}
    paid = run_step(charge, context={"card_token": "t"}, dependencies=order)
    assert paid.result == {"charged": 3}


def test_nothing_to_charge(run_step):
    failed = run_step(charge, dependencies={"validate_order": {"total": 0}})
    assert (failed.error_type, failed.retryable) == ("permanent_error", False)


def test_ship(run_step):
    assert run_step(Ship, dependencies={"charge": {"charged": 3}}).result["value"] == 3
