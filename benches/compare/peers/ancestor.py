"""What the Python script that this program re-creates does, as a peer to measure: the `certstream`
client, one alternation of all rules, one commit for each certificate that matches.

`ancestor.py URL RULES match|search` (the script itself matches at the beginning of a name). Its log
lines are left out, which is in its favour.
"""

import re
import sqlite3
import sys
from urllib.parse import urlparse

import certstream


def main(url, rules, how):
    with open(rules, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip()]
    hits = getattr(re.compile("(?:%s)" % "|".join(lines)), how)
    database = sqlite3.connect("ancestor.db")
    database.execute("CREATE TABLE certtransp_domains(domain TEXT NOT NULL PRIMARY KEY)")

    def sanitised(name):
        name = name.removeprefix("http://").removeprefix("https://")
        return urlparse("//" + name).netloc.removeprefix("www.").removeprefix("*.")

    def on_message(message, _context):
        if message["message_type"] != "certificate_update":
            return
        names = {sanitised(name) for name in message["data"]["leaf_cert"]["all_domains"]}
        found = [(name,) for name in names if hits(name)]
        if found:
            database.executemany("INSERT OR REPLACE INTO certtransp_domains VALUES(?)", found)
            database.commit()

    certstream.listen_for_events(on_message, url=url)


main(*sys.argv[1:])
