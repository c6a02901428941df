#!/usr/bin/env python3
"""Aligned paragraphs of LibreOffice's help in English and another language, divided by page into train, validation and test.

    help_pairs.py ENGLISH OTHER LANGUAGE OUTPUT     folders of .html pages: usr/share/libreoffice/help/en-us/text and the like

Pages are made from one source, so that a paragraph has one id in all languages. Writes OUTPUT/{train,validation,test}.en
and .LANGUAGE, a paragraph a line, and says how many were left out and why. Only Python's own library is needed.
"""

import argparse
import hashlib
import html.parser
import pathlib
import re
import sys

PARAGRAPH = re.compile(r'<p id="([^"]+)"([^>]*)>(.*?)</p>', re.DOTALL)
CODE = re.compile(r'class="[^"]*code')
# Of 1,000 pages those of the least hashes are for testing, the next ones for validation.
TEST_SHARE, VALIDATION_SHARE = 50, 50
HELD_OUT = 500  # pairs of each of the two, at most
LEAST_TRAINED = 1000  # pairs
MISSING = re.compile(r"\[text/\S+ not found\]")  # what the pages have where a text was not found
PARTS = ("train", "validation", "test")


class Text(html.parser.HTMLParser):
    """The text of a paragraph. Of wordings for several systems, as in "press Command or Ctrl", the last is the general one."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.pieces = []
        self.open = []  # of each open span: the place in `pieces` where the alternatives in it begin, or None

    def handle_starttag(self, tag, attributes):
        if tag == "span":
            if self.open and self.open[-1] is not None:
                del self.pieces[self.open[-1] :]
            switch = "switchinline" in (dict(attributes).get("class") or "")
            self.open.append(len(self.pieces) if switch else None)
        elif tag in ("br", "img"):
            self.pieces.append(" ")

    def handle_endtag(self, tag):
        if tag == "span" and self.open:
            self.open.pop()

    def handle_data(self, data):
        self.pieces.append(data)


def text_of(markup):
    parser = Text()
    parser.feed(markup)
    parser.close()
    return " ".join("".join(parser.pieces).split())


def paragraphs(page):
    """{id: text} of a page; of an id that comes twice the first."""
    found = {}
    for name, attributes, markup in PARAGRAPH.findall(page.read_text(encoding="utf-8")):
        if not CODE.search(attributes):
            found.setdefault(name, text_of(markup))
    return found


def part_of(page):
    """Where a page belongs, by its name alone: the same for every language."""
    number = int.from_bytes(hashlib.sha256(page.encode()).digest()[:4], "big") * 1000 >> 32
    return "test" if number < TEST_SHARE else "validation" if number < TEST_SHARE + VALIDATION_SHARE else "train"


def key(text):
    """Letters and digits alone: texts that differ in nothing else count as one."""
    return "".join(c for c in text.casefold() if c.isalnum())


class Pairs:
    def __init__(self):
        self.parts = {part: [] for part in PARTS}
        self.pages = dict.fromkeys(PARTS, 0)
        self.counts = dict.fromkeys(("aligned", "empty", "untranslated"), 0)

    def add_page(self, name, source, target):
        part = part_of(name)
        self.pages[part] += 1
        for one, text in source.items():
            if one in target:
                self.counts["aligned"] += 1
                if self.good(text, target[one]):
                    self.parts[part].append((text, target[one]))

    def good(self, source, target):
        why = None
        if not key(source) or not key(target) or MISSING.search(source) or MISSING.search(target):
            why = "empty"
        elif key(source) == key(target):
            why = "untranslated"
        if why:
            self.counts[why] += 1
        return why is None

    def drop_repeated(self):
        """Each pair once; and in validation and test none whose source or target is in a part before. Returns how many of each
        part went."""
        seen, dropped = set(), {}
        for part in PARTS:
            before, kept = frozenset(seen), {}
            for source, target in self.parts[part]:
                keys = ("source", key(source)), ("target", key(target))
                if before.isdisjoint(keys):
                    kept.setdefault(keys, (source, target))
                seen.update(keys)
            dropped[part] = len(self.parts[part]) - len(kept)
            self.parts[part] = list(kept.values())
        return dropped


def evenly(pairs, most):
    """So many of them, from all over."""
    return pairs if len(pairs) <= most else [pairs[i * len(pairs) // most] for i in range(most)]


def write(path, lines):
    part = path.with_name(path.name + ".part")
    part.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    part.rename(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("english", type=pathlib.Path)
    parser.add_argument("other", type=pathlib.Path)
    parser.add_argument("language")
    parser.add_argument("output", type=pathlib.Path)
    options = parser.parse_args()
    pairs = Pairs()
    for page in sorted(options.english.rglob("*.html")):
        name = page.relative_to(options.english)
        if (options.other / name).exists():
            pairs.add_page(name.as_posix(), paragraphs(page), paragraphs(options.other / name))
    dropped = pairs.drop_repeated()
    if len(pairs.parts["train"]) < LEAST_TRAINED:
        sys.exit(f"help_pairs.py: {len(pairs.parts['train'])} translated paragraphs in {options.other}, expected {LEAST_TRAINED} or more")
    for part in PARTS[1:]:
        pairs.parts[part] = evenly(pairs.parts[part], HELD_OUT)
    options.output.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        for side, suffix in enumerate(("en", options.language)):
            write(options.output / f"{part}.{suffix}", (pair[side] for pair in pairs.parts[part]))
    counts = pairs.counts
    print(f"{counts['aligned']:,} paragraphs with one id. Left out: {counts['empty']:,} without words, {counts['untranslated']:,} that are the same in both")
    print(f"languages, {dropped['train']:,} that other pages for training have, too, and {dropped['validation'] + dropped['test']:,} of held-out pages whose English or")
    print("translation is on a page for training (of test pages: or for validation)")
    for part in PARTS:
        print(f"{part:10} {len(pairs.parts[part]):6,} pairs of {pairs.pages[part]:,} pages")


if __name__ == "__main__":
    main()
