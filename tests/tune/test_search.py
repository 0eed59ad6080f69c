"""A search that is looked at again and again knows what its files say."""

from tfkd.tune.search import Search
from tfkd.tune.tuned import read_records, read_tuned


def test_what_it_knows_is_what_the_files_say(small, undisturbed):
    search = Search(small.plan, undisturbed)
    assert len(search.step().ended) == 2 * small.plan.trials
    assert search.records() == read_records(undisturbed)
    assert search.tuned() == read_tuned(undisturbed)
    again = search.step()
    assert (again.wanted, again.finished, again.ended) == ([], [], [])
    assert search.tuned() == read_tuned(undisturbed)
