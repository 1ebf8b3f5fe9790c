# Loaded before the integration's code (PYTHONPATH): waits until there is a run for this process, and
# gives it the run's variables. Then the module of this name that it stands before has its turn.
# Nothing may be imported that a cold start would not have: the integration may have a module of that name.
import os
import sys


def _wait(place):
    told = b""
    start = os.open(place, os.O_RDONLY)
    while part := os.read(start, 65536):
        told += part
    os.close(start)
    *words, last = os.fsdecode(told).split("\0")
    if last != ".":
        raise EOFError("the run's variables did not come whole")
    for word in words:
        name, _, value = word[1:].partition("=")
        if word[0] == "-":
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _leave():
    here = os.path.dirname(__file__)
    sys.path[:] = [path for path in sys.path if path != here]
    sys.path_importer_cache.pop(here, None)
    del sys.modules["sitecustomize"]
    # Where there is none, that is said as it would have been without this one.
    import sitecustomize


if "MARQUETRY_START" in os.environ:
    try:
        _wait(os.environ["MARQUETRY_START"])
    except BaseException as error:
        # Python would go on to the integration's code.
        os.write(2, f"not started: {error}\n".encode())
        os._exit(70)
    _leave()
