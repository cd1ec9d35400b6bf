"""What benchmarks write into a page: each part between marks of its own, as soon as it is measured."""

import pytest

from benchmarks.page import marks, tell_each
from voxtoon.errors import InputError


@pytest.fixture
def page(tmp_path):
    found = tmp_path / "page.md"
    blocks = [f"{start}\n\nold {name}\n\n{end}" for name in ("a", "b") for start, end in [marks(name)]]
    found.write_text("before\n" + "\nbetween\n".join(blocks) + "\nafter\n")
    return found


def test_each_is_written_between_its_own_marks_and_the_rest_stays(page):
    tell_each(["b"], lambda name: [f"new {name}", "and more"], page)

    (start_a, end_a), (start_b, end_b) = marks("a"), marks("b")
    assert [line for line in page.read_text().splitlines() if line] == [
        *("before", start_a, "old a", end_a),
        *("between", start_b, "new b", "and more", end_b, "after"),
    ]


def test_what_was_measured_before_a_cut_is_kept(page):
    def measured(name):
        if name == "b":
            raise KeyboardInterrupt
        return [f"new {name}"]

    with pytest.raises(KeyboardInterrupt):
        tell_each(["a", "b"], measured, page)
    assert "new a" in page.read_text()
    assert "old b" in page.read_text()


def test_what_changed_elsewhere_in_the_page_meanwhile_stays(page):
    def measured(name):
        page.write_text(page.read_text().replace("before", "changed"))
        return [f"new {name}"]

    tell_each(["a"], measured, page)
    assert page.read_text().startswith("changed")
    assert "new a" in page.read_text()


def test_nothing_is_measured_for_a_page_without_the_marks(page):
    with pytest.raises(InputError, match="no page to write to: expected <!-- measured c -->"):
        tell_each(["a", "c"], lambda name: pytest.fail("measured"), page)
    assert "old a" in page.read_text()


def test_without_a_page_all_is_printed(capsys):
    tell_each(["a", "b"], lambda name: [f"new {name}"], None)

    assert capsys.readouterr().out == "new a\nnew b\n"
