"""Prints what dnstwist makes of the domains named on the command line.

    permute.py [--each COUNT] DOMAIN...

One permutation a line: the domain, the fuzzer's name, the permutation, with tabs between them.
With --each, so many of each fuzzer at most, evenly spread over all that it makes.
dnstwist comes from PyPI (`pip install dnstwist`); only its generator is used, so that nothing is
looked up. Exit code 3: it is not installed.
"""

import sys

# Combosquats: joined to the domain, with and without a hyphen.
WORDS = ["login", "secure", "verify", "support", "account", "update"]
# TLD swaps.
SUFFIXES = ["zip", "shop", "xyz", "de", "co.uk", "top", "online"]


def kind(fuzzer, domain):
    """The fuzzer, that of homoglyphs in two: with and without characters beyond ASCII."""
    return fuzzer, domain.isascii() and "xn--" not in domain


def spread(made, count):
    """So many of them at most, evenly spread."""
    count = min(count, len(made))
    return [made[at * len(made) // count] for at in range(count)]


def main(arguments):
    try:
        from dnstwist import Fuzzer
    except ImportError:
        return 3
    each = None
    if arguments[:1] == ["--each"]:
        each, arguments = int(arguments[1]), arguments[2:]
    kinds = {}
    for domain in arguments:
        fuzzer = Fuzzer(domain, dictionary=WORDS, tld_dictionary=SUFFIXES)
        fuzzer.generate()
        for made in sorted((made["fuzzer"], made["domain"]) for made in fuzzer.domains):
            kinds.setdefault(kind(*made), []).append((domain, *made))
    for _, made in sorted(kinds.items()):
        for line in made if each is None else spread(made, each):
            print(*line, sep="\t")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
