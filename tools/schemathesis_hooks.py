"""What schemathesis is told about this API."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

import schemathesis_archives  # noqa: E402, F401
import schemathesis_rules  # noqa: E402, F401
