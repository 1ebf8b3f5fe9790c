# Loaded before the integration's code (PYTHONPATH): waits until there is a run for this process, and
# gives it the run's variables. Then the module of this name that it stands before has its turn.
import os
import sys


def _wait(place):
    import json

    with open(place, encoding="utf-8") as start:
        told = json.load(start)
    for name in told["unset"]:
        os.environ.pop(name, None)
    os.environ.update(told["set"])


def _leave():
    own = sys.modules.pop("sitecustomize", None)
    here = os.path.dirname(__file__)
    sys.path[:] = [path for path in sys.path if path != here]
    sys.path_importer_cache.pop(here, None)
    try:
        import sitecustomize
    except ImportError:
        sys.modules["sitecustomize"] = own


if "MARQUETRY_START" in os.environ:
    _wait(os.environ["MARQUETRY_START"])
    _leave()
