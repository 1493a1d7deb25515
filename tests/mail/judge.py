"""Judges mails: `judge.py KEYS MAIL...`, where KEYS is what `pressrun --format json dkim new` printed."""

import email.policy
import json
import re
import subprocess
import sys

import dkim

ONCE = ["From", "To", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version", "List-Id", "List-Unsubscribe",
        "List-Unsubscribe-Post", "Feedback-ID"]


def signatures(message, records):
    """The algorithm of each signature, and whether it holds."""
    lookup = lambda name, timeout=5: records.get(name.decode().rstrip("."))
    found = {}
    for index in range(message.count(b"DKIM-Signature:")):
        verifier = dkim.DKIM(message, minkey=2048)
        holds = verifier.verify(idx=index, dnsfunc=lookup)
        found[verifier.signature_fields[b"a"].decode()] = holds
    return found


def without(message, name):
    return re.sub(rb"(?m)^" + name + rb":.*\r\n(?:[ \t].*\r\n)*", b"", message, count=1)


def spam(message):
    said = subprocess.run(["spamassassin", "-L", "-t"], input=message, capture_output=True, check=True).stdout
    score = re.search(rb"score=(-?[0-9.]+)", said)
    tests = re.search(rb"tests=([A-Z0-9_,\s]+?)\s+(?:autolearn|version)", said)
    return float(score.group(1)), b"".join(tests.group(1).split()).decode()


def judge(path, records):
    message = open(path, "rb").read()
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    both = {"rsa-sha256": True, "ed25519-sha256": True}
    assert signatures(message, records) == both, signatures(message, records)
    neither = dict.fromkeys(both, False)
    for changed in [b"From: other@example.net\r\n" + message, b"Subject: Other\r\n" + message,
                    without(message, b"List-Unsubscribe"), without(message, b"List-Unsubscribe-Post")]:
        assert signatures(changed, records) == neither, changed[:400]
    for part in parsed.walk():
        assert not part.defects, (path, part.defects)
        for name, value in part.items():
            assert not value.defects, (name, value.defects)
    for name in ONCE:
        assert len(parsed.get_all(name, [])) == 1, name
    assert message.isascii() and b"\n" not in message.replace(b"\r\n", b"")
    head, body = message.split(b"\r\n\r\n", 1)
    # Only what cannot be folded, an address, may be longer than a line should be.
    assert all(len(line) <= 78 or b" " not in line.strip() for line in head.split(b"\r\n")), head.decode()
    assert max(map(len, body.split(b"\r\n"))) <= 76
    sender = parsed["Feedback-ID"].rsplit(":", 1)[1]
    assert 5 <= len(sender) <= 15, sender
    digest = parsed["Auto-Submitted"] == "auto-generated"
    score, tests = spam(message)
    print(f"{'digest' if digest else 'instant'}: {len(message)} bytes, both signatures hold, no defects, "
          f"SpamAssassin {score} ({tests})", flush=True)
    assert score <= 0.0, (score, tests)
    return digest


if __name__ == "__main__":
    keys = json.load(open(sys.argv[1]))
    records = {record["name"]: record["value"].encode() for record in keys["records"]}
    kinds = {judge(path, records) for path in sys.argv[2:]}
    assert kinds == {True, False}, "an instant issue and a digest"
