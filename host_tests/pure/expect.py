"""What pure tests use in place of pytest.raises; runs on CPython and MicroPython."""


def raises(kind, function, *arguments):
    """Call function and return the exception of this kind that it must raise."""
    try:
        function(*arguments)
    except kind as e:
        return e
    raise AssertionError("%s was not raised" % kind.__name__)
