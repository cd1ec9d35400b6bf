"""What converters say is kept, and heard with ``-v`` only."""

import logging
import os
import sys
import warnings

import pytest

from voxtoon.cli.export import _quiet
from voxtoon_export.converter_noise import LOGGER, silenced


def talk():
    print("to the output")
    print("to the errors", file=sys.stderr)
    os.write(2, b"from below Python\n")
    warnings.warn("a warning", stacklevel=1)
    logging.getLogger("some.converter").warning("a line of a log")


def test_nothing_of_it_is_seen_and_what_python_printed_is_kept(capfd, recwarn):
    with silenced() as said:
        talk()
        logging.getLogger("some.converter").error("what failed")
    assert capfd.readouterr() == ("", "")
    assert len(recwarn) == 0
    assert said.getvalue() == "to the output\nto the errors\nwhat failed\n"


def test_afterwards_all_is_heard_as_before(capfd):
    with silenced():
        pass
    with pytest.warns(UserWarning, match="a warning"):
        talk()
    heard = capfd.readouterr()
    assert heard.out == "to the output\n"
    assert "to the errors\n" in heard.err
    assert "from below Python\n" in heard.err


@pytest.mark.parametrize("verbose", [True, False])
def test_the_command_is_heard_with_v_only(verbose, capfd):
    with _quiet(unless=verbose), silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        talk()
    assert (capfd.readouterr().out == "to the output\n") is verbose
    assert not LOGGER.isEnabledFor(logging.DEBUG)
