"""Verbs that end soon look for no garbage, and leave Python as they found it."""

import gc

import pytest

from bench.garbage import uncollected


def test_nobody_looks_for_garbage_meanwhile_and_afterwards_it_is_as_it_was() -> None:
    assert gc.isenabled()

    with uncollected():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_an_error_leaves_the_search_on() -> None:
    with pytest.raises(OSError, match="full"), uncollected():
        raise OSError("the disk is full")

    assert gc.isenabled()


def test_who_had_it_off_has_it_off_afterwards() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
