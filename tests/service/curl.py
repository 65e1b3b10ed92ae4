"""As much of curl as the pages need, where there is none: curl [-sS] [-X METHOD] [-H HEADER]… [-d DATA|@FILE] URL"""

from argparse import ArgumentParser
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

parser = ArgumentParser(prog="curl", allow_abbrev=False)
parser.add_argument("url")
parser.add_argument("-s", action="store_true")
parser.add_argument("-S", action="store_true")
parser.add_argument("-X")
parser.add_argument("-H", action="append", default=[])
parser.add_argument("-d")
curl = parser.parse_args()

headers = dict(header.split(": ", 1) for header in curl.H)
text = Path(curl.d[1:]).read_text() if curl.d and curl.d.startswith("@") else curl.d
data = None if text is None else text.encode()
try:
    answer = build_opener(ProxyHandler({})).open(Request(curl.url, data=data, headers=headers, method=curl.X))
except HTTPError as error:
    answer = error
print(answer.read().decode())
