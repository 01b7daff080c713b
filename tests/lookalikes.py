#!/usr/bin/env python3
"""The real look-alike names among the corpus's internationalised ones, found without CertStream.

Usage: tests/lookalikes.py NAMES.txt.zst RULES.txt [CERTSTREAM]

Decodes with Python's own punycode codec, takes marks off with unicodedata, and reads letters with
the table below, which was written by hand from what the letters look like: nothing is shared with
the product. A brand is a rule that is one plain word of five letters or more. A name looks like a
brand when a label reads as one that holds it, and at least one of the letters it is read from is
not ASCII. A letter the table does not know may stand for any one letter, so that what both tables
miss is seen as well; such names are marked `?` and judged by a person.

With the path of the program, each name is given to `certstream explain --json`, and the table says
which rule caught it in which view. Standard library and the `zstd` command only.
"""

import json
import re
import subprocess
import sys
import unicodedata

# What each plain letter is written with: Cyrillic, Greek, Armenian, Latin of other alphabets.
LETTERS = {
    "a": "аɑαаạ", "b": "ЬьƅвЪВβßʙ", "c": "сϲƈςćᴄ", "d": "ԁɗđժð", "e": "еҽəєёэɛε", "f": "ƒғſք",
    "g": "ɡցɢǥԍ", "h": "һհћнħʜ", "i": "іıɩιїӏ", "j": "јϳʝ", "k": "кκķĸқҝ", "l": "ӏlłⅼļιɩ",
    "m": "мⅿʍ", "n": "пոηռņŋɴ", "o": "оοօøӧσο٥", "p": "рρƿþ", "q": "ԛգզ", "r": "гʀɼř",
    "s": "ѕʂșş", "t": "тτŧţțᴛ", "u": "υսцμʋ", "v": "ѵνʋⅴ", "w": "ѡԝшωɯ", "x": "хχ×",
    "y": "уγүʏұყ", "z": "ʐƶᴢ",
}
READ_AS = {}
for plain, written in LETTERS.items():
    for letter in written:
        READ_AS.setdefault(letter, set()).add(plain)
ANY = set("abcdefghijklmnopqrstuvwxyz0123456789")


def readings(label):
    """For each character of a decoded label: what it may be read as, and whether it is ASCII."""
    read = []
    for char in label.lower():
        if char.isascii():
            read.append(({char}, True, True))
            continue
        bare = [c for c in unicodedata.normalize("NFD", char) if not unicodedata.category(c).startswith("M")]
        if not bare:
            continue
        if len(bare) == 1 and bare[0].isascii():
            read.append(({bare[0]}, False, True))
        elif bare[0] in READ_AS or char in READ_AS:
            read.append((READ_AS.get(char, set()) | READ_AS.get(bare[0], set()), False, True))
        else:
            read.append((ANY if unicodedata.category(bare[0]) == "Ll" else set(), False, False))
    return read


def looks_like(brands, read):
    """The brands that stand in the label in letters not all ASCII: `sure`, or `?` where one of
    them is unknown. `brands` holds them by first letter."""
    verdicts, plain = {}, set()
    for start, (firsts, _, _) in enumerate(read):
        for brand in (brand for first in firsts for brand in brands.get(first, ())):
            span = read[start:start + len(brand)]
            if len(span) < len(brand) or any(c not in may for c, (may, _, _) in zip(brand, span)):
                continue
            unknown = sum(not known for _, _, known in span)
            if all(is_ascii for _, is_ascii, _ in span):
                plain.add(brand)
            elif unknown == 0:
                verdicts[brand] = "sure"
            elif unknown == 1:
                verdicts.setdefault(brand, "?")
    # Where it stands as it is as well, any search finds it.
    return {brand: verdict for brand, verdict in verdicts.items() if brand not in plain}


def decoded(name):
    labels = []
    for label in name.split("."):
        if label.startswith("xn--"):
            try:
                labels.append(label[4:].encode().decode("punycode"))
            except UnicodeError:
                pass
    return labels


def main():
    names_file, rules_file, program = sys.argv[1], sys.argv[2], sys.argv[3:4]
    rules = open(rules_file).read().split("\n")
    brands = [rule for rule in rules if re.fullmatch("[a-z]{5,}", rule)]
    text = subprocess.run(["zstd", "-dc", names_file], check=True, capture_output=True, text=True).stdout
    names = {name.lstrip("~") for line in text.splitlines() for name in line.split()[1:]}
    names = sorted(name for name in names if re.search(r"(^|\.)xn--", name))
    by_first = {}
    for brand in brands:
        by_first.setdefault(brand[0], []).append(brand)
    labels = {}
    for name in names:
        for label in decoded(name):
            labels.setdefault(label, name)
    # One row for a label, whatever stands around it.
    found = {}
    for label, name in labels.items():
        for brand, verdict in looks_like(by_first, readings(label)).items():
            found[brand, label, verdict] = name
    caught = catches(program[0], sorted(set(found.values())), rules_file) if program else {}
    counts = {}
    print("| brand | reads | sure | first name | its own rule | other rules |\n|---|---|---|---|---|---|")
    for (brand, label, verdict), name in sorted(found.items()):
        by = dict(caught.get(name, []))
        own = "/".join(by.pop(brand, [])) or "missed"
        counts[verdict, own] = counts.get((verdict, own), 0) + 1
        others = ", ".join(f"`{rule}` ({'/'.join(views)})" for rule, views in by.items())
        print(f"| {brand} | {label} | {verdict} | `{name}` | {own} | {others} |")
    print(f"\n{len(names)} names, {len(brands)} brands, {len(found)} pairs of a brand and a label;", counts)


def catches(program, names, rules_file):
    """By name: the rules that hit it, each with its views."""
    caught = {}
    for start in range(0, len(names), 200):
        command = [program, "explain", "--rules", rules_file, "--json", *names[start:start + 200]]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for line in told.splitlines():
            explained = json.loads(line)
            hits = {}
            for rule in explained["rules"]:
                if rule["hit"]:
                    hits.setdefault(rule["rule"], []).append(rule["view"])
            caught[explained["name"]] = sorted(hits.items())
    return caught


if __name__ == "__main__":
    main()
