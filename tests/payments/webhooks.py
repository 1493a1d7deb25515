"""Has Stripe's own library judge webhooks, right and forged: `webhooks.py FILE` leaves them there with its verdicts.

Where we are stricter on purpose, a case says why.
"""

import base64
import json
import random
import sys
import time

from stripe import Webhook, WebhookSignature

SECRET, OTHER = "whsec_mountain", "whsec_valley"
NOW = int(time.time())
EVENT = {
    "id": "evt_1", "object": "event", "api_version": "2026-10-28.endive", "created": NOW, "livemode": False,
    "pending_webhooks": 1, "request": None, "type": "customer.subscription.updated",
    "data": {"object": {"id": "sub_1", "object": "subscription", "metadata": {"city": "Zürich ☃"}}},
}
BODY = json.dumps(EVENT, indent=2, ensure_ascii=False).encode()
cases = []


def sign(body=BODY, secret=SECRET, at=NOW):
    return WebhookSignature.generate_signature_header(body.decode(), secret, at)


def judge(body, signature, stricter=None):
    try:
        Webhook.construct_event(body, signature, SECRET)
        is_taken = True
    except Exception:
        is_taken = False
    cases.append({
        "body": base64.b64encode(body).decode(), "signature": signature, "taken": is_taken, "stricter": stricter,
    })


def canonical(signature):
    """Why we may refuse what the library, which reads numbers generously, takes."""
    items = [item.split("=") for item in signature.split(",")]
    times = [item[1] for item in items if item[0] == "t" and len(item) == 2]
    if not times or not times[0].isascii() or not times[0].isdigit() or times[0].startswith("0"):
        return "the time is not written as the provider writes it"
    return None if all(len(item) == 2 for item in items) else "a signature is not written as the provider writes it"


good, other = sign(), sign(secret=OTHER)
time_of, v1 = good.split(",")
other_v1 = other.split(",")[1]
for signature in [
    good, f"{v1},{time_of}", f"{time_of},{other_v1},{v1}", f"{time_of},{v1},{other_v1}", f"{good},v0=00,v2=x", f"x=y,{good}",
    other, time_of, v1, "", ",", "=", "t=", f"t=,{v1}", f"t=soon,{v1}", f"{time_of},v1=", good.replace("v1", "v0"),
    good.replace("v1", "V1"), f"{time_of},{v1.upper().replace('V1', 'v1')}", f"{time_of}, {v1}", f"{time_of};{v1}",
    f"t={NOW + 1},{v1}", f"{time_of},{v1[:-1]}", f"{time_of},{v1}0", f"{good},t=1", f"t=1,{good}",
]:
    judge(BODY, signature, canonical(signature))
for seconds in [-100_000, -310, -290, 0, 290]:
    judge(BODY, sign(at=NOW + seconds))
judge(BODY, sign(at=NOW + 310), "a message of a later day is none of now")
for body in [BODY + b" ", b" " + BODY, BODY.replace(b"sub_1", b"sub_2"), b"", BODY[:-1], b"\xff" + BODY, BODY.replace(b"\n", b"\r\n")]:
    judge(body, good)
for length in range(0, len(BODY), 17):
    judge(BODY[:length], good)
for body in [b"", b"{", b"[]", b"null", b"1", b"\"event\"", BODY[:-1]]:
    judge(body, sign(body))
judge(b"{}", sign(b"{}"), "it is no event")
judge(BODY + b" ", sign(BODY + b" "))

# Anything within a signature changed, taken away or put in; and within the body.
chance = random.Random(16)
for _ in range(2000):
    at, put = chance.randrange(len(good) + 1), chance.choice("0123456789abcdefABt v1=,_+-.x")
    changed = good[:at] + put + good[at + chance.randrange(2):]
    judge(BODY, changed, canonical(changed))
for _ in range(300):
    changed = bytearray(BODY)
    changed[chance.randrange(len(BODY))] ^= 1 << chance.randrange(8)
    judge(bytes(changed), good)

with open(sys.argv[1], "w") as told:
    json.dump({"now": NOW, "secret": SECRET, "cases": cases}, told)
print(f"the library took {sum(case['taken'] for case in cases)} of {len(cases)} webhooks")
