"""An exception in words. Loaded for the moment by lend()."""

import sys
from io import StringIO


def traceback(error):
    """As Python prints it."""
    text = StringIO()
    sys.print_exception(error, text)
    return text.getvalue().rstrip()
