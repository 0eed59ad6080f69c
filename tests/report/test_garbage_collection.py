"""What keeps the collector away leaves it as it was."""

from __future__ import annotations

import gc

import pytest

from tfkd.report.garbage_collection import passed_over, paused


def test_pausing_ends_also_with_an_error():
    assert gc.isenabled()
    with paused(), paused():
        assert not gc.isenabled()
    with pytest.raises(KeyError), paused():
        raise KeyError
    assert gc.isenabled()


def test_what_the_caller_has_switched_off_stays_off():
    gc.disable()
    try:
        with paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_was_there_is_passed_over_and_searched_again():
    assert gc.get_freeze_count() == 0
    with passed_over():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


def test_what_the_caller_froze_stays_frozen():
    gc.freeze()
    try:
        before = gc.get_freeze_count()
        with passed_over():
            pass
        assert 0 < gc.get_freeze_count() <= before
    finally:
        gc.unfreeze()
