"""Epochs to a score, and what is said of a search that never reached it."""

from reaching import best, reach, spread


def test_it_counts_epochs_and_trials_until_the_score() -> None:
    epochs = [("a", 0.1), ("b", 0.2), ("a", 0.3), ("c", 0.5), ("b", 0.9)]
    found = reach(epochs, 0.5)
    assert (found.num_epochs, found.num_trials, found.reached) == (4, 3, True)
    assert best(epochs) == 0.9


def test_a_search_that_never_reaches_it_is_a_lower_bound() -> None:
    found = reach([("a", 0.1), ("b", 0.2)], 0.5)
    assert (found.num_epochs, found.num_trials, found.reached) == (2, 2, False)


def test_the_censored_count_as_the_highest_however_little_they_spent() -> None:
    found = spread([40, 30, 20, 50, 10], [True, True, True, True, False])
    assert (found.median, found.median_is_bound) == (40, False)
    assert (found.lowest, found.highest, found.highest_is_bound) == (20, 10, True)
    assert found.num_censored == 1


def test_a_median_that_never_reached_it_is_marked() -> None:
    found = spread([40, 30, 20], [True, False, False])
    assert (found.median, found.median_is_bound) == (20, True)


def test_an_even_number_has_the_mean_of_the_middle_two() -> None:
    assert spread([4, 1, 3, 2], [True] * 4).median == 2.5
