"""An integration in one sentence: it counts, and remembers how far it came."""
