"""Tell a container engine, by the exit status, whether the server beside it is alive.

It asks at the port that the environment names, in HTTPS where that names a certificate. A server that has them from a
flag or a file needs them there as well. One that lets in only clients with a certificate is asked at `admin_port`.
"""

import os
import ssl
import sys
import urllib.request

scheme, port = "http", os.environ.get("CHARTREPO_PORT") or 8080
if os.environ.get("CHARTREPO_TLS_CLIENT_CA"):
    port = os.environ.get("CHARTREPO_ADMIN_PORT") or sys.exit("CHARTREPO_TLS_CLIENT_CA needs CHARTREPO_ADMIN_PORT here")
elif os.environ.get("CHARTREPO_TLS_CERT"):
    scheme = "https"
ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # on this machine, so that any certificate will do
ours.check_hostname, ours.verify_mode = False, ssl.CERT_NONE
# A proxy would look for it on its own machine.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ours))
try:
    direct.open(f"{scheme}://127.0.0.1:{port}/livez", timeout=4).close()
except OSError as problem:
    sys.exit(f"not alive: {problem}")
