"""Of all tests: started in the background or under `nohup`, they hear Ctrl-C like any others.

A shell has such a command ignore SIGINT, and each process that it starts inherits that, but not a handler.
"""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
