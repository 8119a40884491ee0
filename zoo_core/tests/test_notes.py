"""Notes of many things are one line for each kind, with their counts added up."""

from zoo_core.notes import Notes


def test_counts_of_the_same_are_added_up_over_things():
    notes = Notes()
    notes.add(0, ["4 values (1.6 %) beyond 0 to 9", "no profile"])
    notes.add(1, ["1,200 values (3.0 %) beyond 0 to 9"])
    notes.add(2, ["no profile", "7 pixels (0.1 %) without data"])
    assert notes.things() == {
        "1,204 values beyond 0 to 9": [0, 1],
        "no profile": [0, 2],
        "7 pixels (0.1 %) without data": [2],
    }


def test_a_thing_that_is_told_again_is_counted_once():
    notes = Notes()
    for _ in range(2):  # as for two targets
        for number in (0, 1):
            for _ in range(3):  # as for each of its windows
                notes.add(number, ["2 values (1.0 %) beyond 0 to 9"])
    assert notes.texts() == ("4 values beyond 0 to 9",)
