"""Tell a container engine, by the exit status, whether the server beside it is alive.

It asks at the port that the environment names. A server whose port comes from a flag or a file needs it there as well.
"""

import os
import sys
import urllib.request

direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy would look for it on its own machine
try:
    direct.open(f"http://127.0.0.1:{os.environ.get('CHARTREPO_PORT') or 8080}/livez", timeout=4).close()
except OSError as problem:
    sys.exit(f"not alive: {problem}")
