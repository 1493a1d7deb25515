#!/usr/bin/env python3
"""Makes a publication of articles as long and as mixed as real ones, the same bytes for the same seed.

benches/corpus.py DIR [--articles 10000] [--seed 1]

Sizes are log-normal. The words are those of benches/vocabulary.py put into the sentences of a small grammar: what
matters here is what a program has to do with a text, not what it says. Dates lie between 2014 and 2025. What is made
holds for `check`: links lead to articles and headings that exist, pictures have words, ids are unique.
"""

import argparse
import binascii
import json
import math
import os
import random
import statistics
import struct
import unicodedata
import zlib

from vocabulary import CODE, ENGLISH, OTHERS, SURNAMES, TAGS

MEDIAN, SPREAD, SMALLEST, LARGEST = 7000, 0.75, 900, 160_000
YEARS = range(2014, 2026)
NOT_LATIN = 0.12
SITES = ["example.com", "example.org", "example.net", "data.example.org", "standards.example.org", "papers.example.net"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder")
    arguments.add_argument("--articles", type=int, default=10000)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    os.makedirs(options.folder)
    print(make(options.folder, options.articles, options.seed))


def make(folder, count, seed):
    """Writes the publication into an empty folder; its mix in words."""
    pictures = [f"figure-{number:03}.png" for number in range(max(20, count // 50))]
    os.makedirs(os.path.join(folder, "content", "images"))
    for number, name in enumerate(pictures):
        put(folder, f"content/images/{name}", picture(number))
    put(folder, "publish.toml", settings().encode())
    put(folder, "content/pages/about.md", "---\ntitle: About\n---\nWords about what is published here.\n".encode())
    heads = [Head(Dice(f"{seed} {number}"), number, count) for number in range(count)]
    seen = [head.write(folder, heads, pictures) for head in heads]
    return mix(seen, len(pictures))


def put(folder, path, data):
    path = os.path.join(folder, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def mix(seen, pictures):
    sizes = sorted(size for size, _ in seen)
    share = lambda kind: f"{100 * sum(kind in kinds for _, kinds in seen) / len(seen):.0f} %"
    links = sum(kinds.count("link") for _, kinds in seen) / len(seen)
    return (f"{len(seen)} articles, median {statistics.median(sizes) / 1000:.1f} KB, "
            f"p99 {sizes[len(sizes) * 99 // 100] / 1000:.1f} KB, {sum(sizes) / 1e6:.1f} MB; "
            f"with tables {share('table')}, code {share('code')}, images {share('image')}, footnotes {share('note')}, "
            f"lists {share('list')}, quotes {share('quote')}; {links:.1f} links an article; "
            f"not Latin {share('not Latin')}; {pictures} pictures")


def settings():
    lines = ['[publication]', 'title = "The Measured Times"', 'description = "Words to measure with"',
             'url = "https://news.example.com"', 'language = "en"', 'address = "1 Example Street, Example Town"']
    for name in SURNAMES:
        lines += ["", "[[authors]]", f'id = "{author_id(name)}"', f'name = "{name}"', f'bio = "{name} reports for us."']
    lines += ["", "[[newsletters]]", 'id = "main"', 'title = "The Times"', 'from = "The Times <news@example.com>"', ""]
    return "\n".join(lines)


def author_id(name):
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return plain.lower().replace(" ", "-")


def picture(number):
    """A PNG of 1200 to 675 pixels in 64 colours: bands whose edges wander, about 30 KB."""
    dice = Dice(f"picture {number}")
    width, height = 1200, 675
    palette = bytes(channel for step in range(64) for channel in (step * 4, 90 + step, (number * 37 + step * 2) % 256))
    edges, rows = [dice.below(width) for _ in range(12)], []
    for _ in range(height):
        edges = [(edge + dice.below(7) - 3) % width for edge in edges]
        marks, row = sorted(edges) + [width], bytearray()
        for index, mark in enumerate(marks):
            row += bytes([index * 5 % 64]) * (mark - len(row))
        rows.append(b"\0" + bytes(row))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", binascii.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
            + chunk(b"PLTE", palette) + chunk(b"IDAT", zlib.compress(b"".join(rows), 6)) + chunk(b"IEND", b""))


class Dice(random.Random):
    """Chance from a seed, by `random()` alone, which is the same in every version of Python."""

    def below(self, end):
        return int(self.random() * end)

    def pick(self, choices):
        return choices[int(self.random() * len(choices))]

    def early(self, choices):
        """The first are picked far more often than the last, as with words and tags."""
        return choices[int(self.random() ** 1.8 * len(choices))]

    def happens(self, share):
        return self.random() < share

    def bell(self):
        """Of the standard normal distribution (Box and Muller)."""
        return math.sqrt(-2 * math.log(1 - self.random())) * math.cos(2 * math.pi * self.random())


class Head:
    """What is known of an article before its text, so that others can link to it."""

    def __init__(self, dice, number, count):
        self.dice, self.number = dice, number
        self.language = dice.pick(sorted(OTHERS)) if dice.happens(NOT_LATIN) else "en"
        self.tongue = Tongue(dice, self.language)
        self.title = self.tongue.title()
        words = Tongue(dice, "en").title() if self.language != "en" else self.title
        self.slug = f"{'-'.join(words.lower().split())}-{number}"
        # More is published each year than in the year before; the higher the number, the later.
        passed = (number + dice.random()) / count
        years = len(YEARS) * passed ** 0.7
        self.year = YEARS[0] + int(years)
        day = int(years % 1 * 365)
        month, day = 1 + day * 12 // 365, 1 + day % 28
        self.date = f"{self.year}-{month:02}-{day:02}T{6 + dice.below(14):02}:{dice.below(60):02}:00+01:00"
        self.size = min(max(MEDIAN * math.exp(SPREAD * dice.bell()), SMALLEST), LARGEST)
        self.anchor = None
        if self.language == "en" and self.size > 3000:
            self.anchor = self.tongue.title()

    def write(self, folder, heads, pictures):
        """Writes the article; its size in bytes, and what is in it."""
        body = Body(self, heads, pictures)
        data = (self.front_matter(pictures) + body.text()).encode()
        put(folder, f"content/{self.year}/{self.slug}.md", data)
        return len(data), body.kinds + ([] if self.language == "en" else ["not Latin"])

    def front_matter(self, pictures):
        dice, quoted = self.dice, lambda words: json.dumps(words, ensure_ascii=False)
        authors = [author_id(dice.early(SURNAMES))] + ([author_id(dice.pick(SURNAMES))] if dice.happens(0.12) else [])
        tags = [dice.early(TAGS) for _ in range(1 + dice.below(4))]
        lines = ["---", f"id: article-{self.number:05}", f"title: {quoted(self.title)}",
                 f"summary: {quoted(' '.join(self.tongue.sentence() for _ in range(2)))}", f"date: {self.date}",
                 f"authors: [{', '.join(dict.fromkeys(authors))}]", f"tags: [{', '.join(dict.fromkeys(tags))}]",
                 "newsletters: [main]"]
        if self.language != "en":
            lines.append(f"language: {self.language}")
        if dice.happens(0.4):
            lines += ["image:", f"  src: /images/{dice.pick(pictures)}", f"  alt: {quoted(self.tongue.sentence())}"]
        return "\n".join(lines) + "\n---\n"


class Tongue:
    """Words, sentences and paragraphs of one language."""

    def __init__(self, dice, language):
        self.dice, self.is_english = dice, language == "en"
        self.words = None if self.is_english else OTHERS[language]

    def phrase(self):
        dice = self.dice
        if not self.is_english:
            return self.words["space"].join(dice.early(self.words["words"]) for _ in range(2 + dice.below(3)))
        adjective = dice.early(ENGLISH["adjectives"]) + " " if dice.happens(0.5) else ""
        return adjective + dice.early(ENGLISH["nouns"])

    def title(self):
        dice = self.dice
        if not self.is_english:
            return self.phrase() + self.words["space"] + self.phrase()
        noun = dice.pick(ENGLISH["nouns"])
        return dice.pick([f"How the {noun} {dice.pick(ENGLISH['verbs'])} the {self.phrase()}",
                          f"What one {self.phrase()} says about the {noun}", f"The {self.phrase()} and the {noun}",
                          f"Why no {noun} {dice.pick(ENGLISH['verbs'])} that {self.phrase()}"])

    def clause(self):
        dice, words = self.dice, ENGLISH
        return dice.pick([
            lambda: f"the {self.phrase()} {dice.early(words['verbs'])} the {self.phrase()}",
            lambda: f"{dice.early(words['people'])} {dice.early(words['said'])} that the {self.phrase()} "
                    f"{dice.early(words['verbs'])} {dice.early(words['some'])} {dice.early(words['nouns'])}",
            lambda: f"{dice.early(words['some'])} {self.phrase()} {dice.early(words['verbs'])} that {self.phrase()} "
                    f"{dice.early(words['places'])}",
            lambda: f"the {dice.early(words['nouns'])}'s {self.phrase()} {dice.early(words['verbs'])} the {self.phrase()}",
            lambda: f"in {YEARS[0] - dice.below(60)} {1 + dice.below(98)} percent of the {dice.early(words['nouns'])} "
                    f"{dice.early(words['verbs'])} the {self.phrase()}",
        ])()

    def sentence(self, insert=None):
        dice = self.dice
        if not self.is_english:
            parts = [self.phrase() for _ in range(2 + dice.below(3))]
            if insert:
                parts.insert(1, insert)
            return self.words["space"].join(parts) + self.words["stop"]
        text = self.clause()
        if insert:
            text += f" {dice.pick(['and', 'as', 'with', 'beside'])} {insert}"
        if dice.happens(0.45):
            text += dice.pick([", and ", ", but ", "; ", ", while ", " — "]) + self.clause()
        return text[0].upper() + text[1:] + ("?" if dice.happens(0.03) else ".")


class Body:
    """The Markdown of one article, block by block until it is long enough."""

    def __init__(self, head, heads, pictures):
        self.head, self.heads, self.pictures = head, heads, pictures
        self.dice, self.tongue = head.dice, head.tongue
        self.kinds, self.notes, self.rooms = [], [], {}
        dice = self.dice
        # An article is of a kind: most have no table and no code, and those that have have several.
        self.blocks = [(self.paragraph, 100), (self.list, 9), (self.quote, 5)]
        self.blocks += [(self.table, 9)] if dice.happens(0.28) else []
        self.blocks += [(self.code, 18)] if dice.happens(0.3) else []
        self.blocks += [(self.image, 9)] if dice.happens(0.55) else []
        self.has_notes, self.is_technical = dice.happens(0.22), len(self.blocks) > 4
        self.whole = sum(weight for _, weight in self.blocks)

    def text(self):
        blocks = [self.paragraph()]
        length = len(blocks[0].encode())
        until_heading = 2
        while length < self.head.size - 500:
            if until_heading <= 0:
                until_heading = 2 + self.dice.below(5)
                block = self.heading()
            else:
                until_heading -= 1
                block = self.block()
            blocks.append(block)
            length += len(block.encode()) + 2
        blocks += self.notes
        return "\n\n".join(blocks) + "\n"

    def block(self):
        left = self.dice.random() * self.whole
        for make, weight in self.blocks:
            left -= weight
            if left < 0:
                return make()
        return self.paragraph()

    def kind(self, name):
        self.kinds.append(name)

    def heading(self):
        words, mark = self.tongue.title(), "##"
        if "heading" not in self.kinds:
            words = self.head.anchor or words
        elif self.dice.happens(0.25):
            mark = "###"
        self.kind("heading")
        return f"{mark} {words}"

    def paragraph(self):
        dice = self.dice
        return " ".join(self.tongue.sentence(self.inline() if dice.happens(0.4) else None)
                        for _ in range(2 + dice.below(6)))

    def inline(self):
        dice, words = self.dice, self.tongue.phrase()
        kind = dice.random()
        if kind < 0.22:
            return f"*{words}*"
        if kind < 0.38:
            return f"**{words}**"
        if kind < 0.62:
            return self.link(words)
        if kind < 0.70 and self.has_notes:
            self.kind("note")
            number = len(self.notes) + 1
            self.notes.append(f"[^{number}]: {self.tongue.sentence()} <https://{dice.pick(SITES)}/notes/{dice.below(9000)}>")
            return f"{words}[^{number}]"
        if kind < 0.85 and self.is_technical:
            return f"`{dice.pick(ENGLISH['nouns'])}_{dice.pick(ENGLISH['nouns'])}()`"
        return f"“{words}”"

    def link(self, words):
        dice = self.dice
        self.kind("link")
        if dice.happens(0.55):
            return f"[{words}](https://{dice.pick(SITES)}/{dice.pick(ENGLISH['nouns'])}/{dice.below(90000)})"
        other = dice.pick(self.heads)
        anchor = "#" + "-".join(other.anchor.lower().split()) if other.anchor and dice.happens(0.2) else ""
        folder = "" if other.year == self.head.year else f"../{other.year}/"
        return f"[{words}]({folder}{other.slug}.md{anchor})"

    def list(self):
        dice = self.dice
        self.kind("list")
        style, lines = dice.random(), []
        for number in range(1, 4 + dice.below(5)):
            mark = "- " if style < 0.65 else f"{number}. " if style < 0.94 else dice.pick(["- [ ] ", "- [x] "])
            lines.append(mark + self.tongue.sentence(self.inline() if dice.happens(0.25) else None))
            if style < 0.65 and dice.happens(0.15):
                lines += [f"  - {self.tongue.sentence()}" for _ in range(2)]
        return "\n".join(lines)

    def quote(self):
        self.kind("quote")
        lines = [f"> {self.tongue.sentence()}" for _ in range(1 + self.dice.below(4))]
        remark = f"> [!{self.dice.pick(['NOTE', 'TIP', 'WARNING'])}]"
        return "\n".join([remark] * self.dice.happens(0.15) + lines)

    def table(self):
        dice = self.dice
        self.kind("table")
        columns = 3 + dice.below(3)
        row = lambda cells: "| " + " | ".join(cells) + " |"
        number = lambda: f"{dice.below(90000) / 10:,.1f}"
        lines = [row([self.tongue.phrase() for _ in range(columns)]),
                 row(["---"] + [dice.pick(["---:", ":---:", "---"]) for _ in range(columns - 1)])]
        for _ in range(3 + dice.below(9)):
            lines.append(row([self.tongue.phrase()] + [number() if dice.happens(0.7) else self.tongue.phrase()
                                                       for _ in range(columns - 1)]))
        return "\n".join(lines)

    def code(self):
        dice = self.dice
        self.kind("code")
        language = dice.early(sorted(CODE))
        text = "\n\n".join(dice.pick(CODE[language]) for _ in range(1 + dice.below(3)))
        for mark in ("NOUN", "OTHER", "VERB"):
            text = text.replace(mark, dice.pick(ENGLISH["nouns"]))
        return f"```{language}\n{text.replace('17', str(dice.below(900) + 10))}\n```"

    def image(self):
        self.kind("image")
        caption = f' "{self.tongue.phrase()} | {self.dice.pick(SURNAMES)}"' if self.dice.happens(0.6) else ""
        return f"![{self.tongue.sentence()}](/images/{self.dice.pick(self.pictures)}{caption})"


if __name__ == "__main__":
    main()
