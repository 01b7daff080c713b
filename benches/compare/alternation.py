"""One alternation of all rules in Python's re, searched in each name: seconds, names hit.

usage: alternation.py RULES NAMES
"""
import re
import sys
import time

rules, names = (open(path).read().splitlines() for path in sys.argv[1:3])
pattern = re.compile("|".join(f"(?:{rule})" for rule in rules), re.IGNORECASE)
start = time.perf_counter()
hits = sum(1 for name in names if pattern.search(name))
print(time.perf_counter() - start, hits)
