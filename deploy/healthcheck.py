"""Tell a container engine, by the exit status, whether the server beside it is alive.

It looks where the server listens by the settings that the image is run with: those in the environment. A server whose
port or context path come from flags or a file needs them in the environment as well.
"""

import os
import sys
import urllib.error
import urllib.request

port = os.environ.get("CHARTREPO_ADMIN_PORT") or os.environ.get("CHARTREPO_PORT") or "8080"
context_path = os.environ.get("CHARTREPO_CONTEXT_PATH", "").rstrip("/")
try:
    urllib.request.urlopen(f"http://127.0.0.1:{port}{context_path}/livez", timeout=4).close()
except (urllib.error.URLError, OSError) as problem:
    sys.exit(f"not alive: {problem}")
