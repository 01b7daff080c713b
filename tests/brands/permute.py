"""Prints what dnstwist makes of the domains named on the command line.

One permutation a line: the domain, the fuzzer's name, the permutation, with tabs between them.
dnstwist comes from PyPI (`pip install dnstwist`); only its generator is used, so that nothing is
looked up. Exit code 3: it is not installed.
"""

import sys

# Combosquats: joined to the domain, with and without a hyphen.
WORDS = ["login", "secure", "verify", "support", "account", "update"]
# TLD swaps.
SUFFIXES = ["zip", "shop", "xyz", "de", "co.uk", "top", "online"]


def main(domains):
    try:
        from dnstwist import Fuzzer
    except ImportError:
        return 3
    for domain in domains:
        fuzzer = Fuzzer(domain, dictionary=WORDS, tld_dictionary=SUFFIXES)
        fuzzer.generate()
        for made in sorted((made["fuzzer"], made["domain"]) for made in fuzzer.domains):
            print(domain, *made, sep="\t")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
