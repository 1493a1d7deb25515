"""Has Stripe's own library complete every flow against the stand-in: `judge.py PROGRAM FILE`.

Starts PROGRAM, buys, changes, fails, gives back and ends through the library and through the pages, has the library
verify every webhook, and leaves what was asked, answered and told in FILE for `shapes/check.mjs`.
"""

import http.server
import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import stripe

GOOD, DECLINED, FAILS_LATER = "4242424242424242", "4000000000000002", "4000000000000341"
SECRET = "whsec_judge"
DAY = 86_400
VERSION = "2026-10-28.endive"

posts = []


class Listener(http.server.BaseHTTPRequestHandler):
    """Takes webhooks."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        posts.append((body, self.headers["stripe-signature"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: where a form leads is to be looked at."""

    def redirect_request(self, *_):
        return None


browser = urllib.request.build_opener(Stay)


def press(page, **fields):
    """Posts a form: status, where it leads, the page."""
    try:
        answer = browser.open(page, urllib.parse.urlencode(fields).encode())
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.headers.get("location"), answer.read().decode()


def control(verb, **wish):
    request = urllib.request.Request(f"{url}/_control/{verb}", json.dumps(wish).encode())
    return json.load(urllib.request.urlopen(request))


def advance(days):
    control("advance", seconds=days * DAY)


def refused(kind, code, act):
    """The library's own exception, with its code."""
    try:
        act()
    except kind as error:
        assert error.code == code, f"{code} was expected, not {error.code}: {error}"
        return error
    raise AssertionError(f"{kind.__name__} was expected")


def catalog():
    product = client.products.create({"name": "Paid reading", "metadata": {"plan": "paid"}})
    assert client.products.retrieve(product.id).name == "Paid reading"
    month = client.prices.create({
        "product": product.id, "currency": "eur", "unit_amount": 500, "recurring": {"interval": "month"},
        "lookup_key": "paid_month", "metadata": {"plan": "paid"},
    })
    year = client.prices.create({
        "product_data": {"name": "Paid reading, yearly"}, "currency": "eur", "unit_amount": 5000,
        "recurring": {"interval": "year"}, "lookup_key": "paid_year", "nickname": "yearly",
    })
    found = client.prices.list({"lookup_keys": ["paid_month"], "active": True, "limit": 1})
    assert [price.id for price in found.data] == [month.id] and not found.has_more
    assert client.prices.retrieve(month.id, {"expand": ["product"]}).product.name == "Paid reading"
    old = client.prices.create({"product": product.id, "currency": "eur", "unit_amount": 1, "recurring": {"interval": "week"}})
    client.prices.update(old.id, {"active": False})
    refused(stripe.InvalidRequestError, None, lambda: checkout(old.id))
    return month, year


def customers():
    ann = client.customers.create({
        "email": "ann@example.com", "preferred_locales": ["de"], "metadata": {"reader": "1", "gone": "x"},
    })
    ann = client.customers.update(ann.id, {"metadata": {"gone": ""}, "name": "Ann"})
    assert ann.metadata.to_dict() == {"reader": "1"} and ann.name == "Ann"
    eve = client.customers.create({"email": "eve@example.com"})
    assert client.customers.delete(eve.id).deleted
    assert client.customers.retrieve(eve.id).deleted
    refused(stripe.InvalidRequestError, "resource_missing", lambda: client.customers.update(eve.id, {"name": "E"}))
    refused(stripe.InvalidRequestError, "email_invalid", lambda: client.customers.create({"email": "nobody"}))
    refused(stripe.InvalidRequestError, "parameter_unknown", lambda: client.customers.create({"colour": "red"}))
    assert [one.id for one in client.customers.list({"email": "ann@example.com"}).data] == [ann.id]
    for at in range(4):
        client.customers.create({"description": f"number {at}"})
    seen = [one.id for one in client.customers.list({"limit": 2}).auto_paging_iter()]
    assert len(seen) == len(set(seen)) == 5, seen
    return ann


def checkout(price, **more):
    return client.checkout.sessions.create({
        "mode": "subscription", "line_items": [{"price": price, "quantity": 1}], "client_reference_id": "reader-1",
        "success_url": "http://localhost/back?session={CHECKOUT_SESSION_ID}", "cancel_url": "http://localhost/plans",
        "locale": "de", "metadata": {"language": "de"}, "payment_method_collection": "always", **more,
    })


def buy(price, card=GOOD, **more):
    """Pays on the page: the subscription."""
    session = checkout(price, **more)
    assert (session.status, session.payment_status) == ("open", "unpaid")
    page = urllib.request.urlopen(session.url).read().decode()
    assert 'href="http://localhost/plans"' in page and 'name="card"' in page, page
    status, location, _ = press(session.url, email="new@example.com", card=card)
    assert (status, location) == (303, f"http://localhost/back?session={session.id}"), (status, location)
    done = client.checkout.sessions.retrieve(session.id, {"expand": ["subscription", "customer", "line_items"]})
    assert done.status == "complete" and done.customer_details.email and done.url is None
    assert done.line_items.data[0].price.id == price and done.customer.email == done.customer_details.email
    return done.subscription


def checkouts(ann, month):
    session = checkout(month.id, customer=ann.id)
    status, _, page = press(session.url, card=DECLINED)
    assert status == 402 and "Your card was declined." in page
    assert client.checkout.sessions.retrieve(session.id).status == "open"
    listed = client.checkout.sessions.list({"customer": ann.id, "status": "open"})
    assert [one.id for one in listed.data] == [session.id]
    assert client.checkout.sessions.expire(session.id).status == "expired"
    refused(stripe.InvalidRequestError, None, lambda: client.checkout.sessions.expire(session.id))
    assert press(session.url, card=GOOD)[1] is None, "nobody pays on a closed page"
    refused(stripe.InvalidRequestError, None, lambda: checkout(month.id, customer=ann.id, customer_email="a@example.com"))
    refused(stripe.InvalidRequestError, "resource_missing", lambda: checkout("price_none"))
    refused(stripe.InvalidRequestError, "resource_missing", lambda: checkout(month.id, customer="cus_none"))
    refused(stripe.InvalidRequestError, "url_invalid", lambda: checkout(month.id, return_url=None, cancel_url="here"))
    checkout(month.id, customer_email="late@example.com", expires_at=now() + 3600)


def now():
    return control("advance", seconds=0)["now"]


def paid(subscription, count, amount):
    """The newest invoices of an agreement and the way from them to the money."""
    invoices = client.invoices.list({"subscription": subscription, "status": "paid", "expand": ["data.payments"]})
    assert len(invoices.data) == count, len(invoices.data)
    newest = invoices.data[0]
    assert newest.amount_paid == amount, newest.amount_paid
    assert newest.parent.subscription_details.subscription == subscription
    if not amount:
        return None
    payment = client.invoice_payments.list({"invoice": newest.id}).data[0]
    assert payment.id == newest.payments.data[0].id == client.invoice_payments.retrieve(payment.id).id
    intent = client.payment_intents.retrieve(payment.payment.payment_intent, {"expand": ["latest_charge"]})
    assert (intent.status, intent.amount_received, intent.latest_charge.paid) == ("succeeded", amount, True)
    return intent


def renewals(month):
    bought = buy(month.id, subscription_data={"metadata": {"plan": "paid"}})
    assert bought.status == "active" and bought.metadata.to_dict() == {"plan": "paid"}
    paid(bought.id, 1, 500)
    advance(32)
    paid(bought.id, 2, 500)
    bought = client.subscriptions.update(bought.id, {"cancel_at_period_end": True})
    assert bought.cancel_at == bought["items"].data[0].current_period_end
    bought = client.subscriptions.update(bought.id, {"cancel_at_period_end": False, "metadata": {"kept": "yes"}})
    assert bought.cancel_at is None and bought.metadata.to_dict() == {"plan": "paid", "kept": "yes"}
    client.subscriptions.update(bought.id, {"cancel_at_period_end": True})
    advance(31)
    ended = client.subscriptions.retrieve(bought.id)
    assert ended.status == "canceled" and ended.ended_at
    refused(stripe.InvalidRequestError, None, lambda: client.subscriptions.update(bought.id, {"cancel_at_period_end": False}))
    assert bought.id in [one.id for one in client.subscriptions.list({"status": "all", "limit": 100}).data]
    assert bought.id not in [one.id for one in client.subscriptions.list({"limit": 100}).data]


def trials(month):
    missing = {"end_behavior": {"missing_payment_method": "cancel"}}
    terms = {"trial_period_days": 14, "trial_settings": missing}
    bought = buy(month.id, subscription_data=terms)
    assert bought.status == "trialing" and bought.trial_end == bought["items"].data[0].current_period_end
    paid(bought.id, 1, 0)
    free = checkout(month.id, subscription_data=terms, payment_method_collection="if_required")
    press(free.url, email="free@example.com", card="")
    free = client.checkout.sessions.retrieve(free.id)
    assert free.payment_status == "no_payment_required" and free.subscription
    advance(15)
    assert client.subscriptions.retrieve(bought.id).status == "active"
    paid(bought.id, 2, 500)
    assert client.subscriptions.retrieve(free.subscription).status == "canceled"


def failures(month):
    bought = buy(month.id, card=FAILS_LATER)
    advance(32)
    late = client.subscriptions.retrieve(bought.id, {"expand": ["latest_invoice", "customer", "items.data.price"]})
    assert late.status == "past_due" and late.latest_invoice.next_payment_attempt
    refused(stripe.CardError, "card_declined", lambda: client.invoices.pay(late.latest_invoice.id))
    session = client.billing_portal.sessions.create({"customer": late.customer.id, "return_url": "http://localhost/account"})
    press(f"{session.url}/card", card=GOOD)
    client.subscriptions.update(bought.id, {"default_payment_method": ""})
    advance(8)
    advance(6)
    assert client.subscriptions.retrieve(bought.id).status == "active"
    lost = buy(month.id, card=FAILS_LATER)
    advance(60)
    lost = client.subscriptions.retrieve(lost.id)
    assert (lost.status, lost.cancellation_details.reason) == ("canceled", "payment_failed")
    assert client.invoices.retrieve(lost.latest_invoice).status == "open"
    return bought


def switches(month, year):
    bought = buy(month.id)
    advance(10)
    item = {"id": bought["items"].data[0].id, "price": year.id}
    at = now()
    preview = client.invoices.create_preview({
        "subscription": bought.id,
        "subscription_details": {"items": [item], "proration_behavior": "always_invoice", "proration_date": at},
    })
    credit = [line for line in preview.lines.data if line.parent.subscription_item_details.proration]
    assert preview.amount_due == preview.total == 5000 + sum(line.amount for line in credit) < 5000
    switched = client.subscriptions.update(bought.id, {
        "items": [item], "proration_behavior": "always_invoice", "proration_date": at,
        "payment_behavior": "error_if_incomplete", "expand": ["latest_invoice.payments", "default_payment_method"],
    })
    assert switched.latest_invoice.amount_paid == preview.amount_due
    assert switched["items"].data[0].price.id == year.id and switched.default_payment_method.card.last4 == "4242"
    client.subscriptions.update(bought.id, {
        "items": [{"id": item["id"], "price": month.id}], "proration_behavior": "always_invoice",
    })
    assert client.customers.retrieve(bought.customer).balance < 0, "what is left of the year is a credit"
    renewal = client.invoices.create_preview({"subscription": bought.id})
    assert renewal.amount_due == 0 and renewal.starting_balance < 0
    poor = buy(month.id, card=FAILS_LATER)
    item = {"id": poor["items"].data[0].id, "price": year.id}
    wish = {"items": [item], "proration_behavior": "always_invoice", "payment_behavior": "error_if_incomplete"}
    refused(stripe.CardError, "card_declined", lambda: client.subscriptions.update(poor.id, wish))
    assert client.subscriptions.retrieve(poor.id)["items"].data[0].price.id == month.id
    assert client.subscriptions.cancel(poor.id).status == "canceled"
    refused(stripe.InvalidRequestError, "resource_missing", lambda: client.subscriptions.cancel(poor.id))
    none = refused(stripe.InvalidRequestError, "invoice_upcoming_none",
                   lambda: client.invoices.create_preview({"subscription": poor.id}))
    assert none.http_status == 404


def money_back(month):
    bought = buy(month.id)
    intent = paid(bought.id, 1, 500)
    first = client.refunds.create({"payment_intent": intent.id, "amount": 200, "reason": "requested_by_customer"})
    assert first.status == "succeeded" and client.refunds.retrieve(first.id).amount == 200
    rest = client.refunds.create({"charge": intent.latest_charge.id}, {"idempotency_key": "give-back"})
    again = client.refunds.create({"charge": intent.latest_charge.id}, {"idempotency_key": "give-back"})
    assert again.id == rest.id
    charge = client.charges.retrieve(intent.latest_charge.id, {"expand": ["refunds"]})
    assert charge.refunded and [one.amount for one in charge.refunds.data] == [300, 200]
    refused(stripe.InvalidRequestError, "charge_already_refunded",
            lambda: client.refunds.create({"payment_intent": intent.id}))
    other = paid(buy(month.id).id, 1, 500).latest_charge
    control("dispute", charge=other.id)
    dispute = client.disputes.list({"charge": other.id}).data[0]
    assert dispute.status == "needs_response" and client.charges.retrieve(other.id).disputed
    refused(stripe.InvalidRequestError, "charge_disputed", lambda: client.refunds.create({"charge": other.id}))
    control("close", dispute=dispute.id, status="lost")
    assert client.disputes.retrieve(dispute.id).status == "lost"
    listed = client.charges.list({"customer": bought.customer, "created": {"gte": now() - DAY}})
    assert [one.id for one in listed.data] == [charge.id]


def portal(month):
    bought = buy(month.id)
    configuration = client.billing_portal.configurations.create({
        "features": {
            "invoice_history": {"enabled": True}, "payment_method_update": {"enabled": True},
            "customer_update": {"enabled": True, "allowed_updates": ["address", "tax_id"]},
            "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
        },
        "business_profile": {"headline": "A publication"}, "metadata": {"ours": "1"},
    })
    listed = client.billing_portal.configurations.list({"active": True, "limit": 100})
    assert configuration.id in [one.id for one in listed.data]

    def session(flow=None):
        params = {"customer": bought.customer, "return_url": "http://localhost/account", "locale": "de",
                  "configuration": configuration.id}
        return client.billing_portal.sessions.create({**params, "flow_data": flow} if flow else params)

    back = {"type": "redirect", "redirect": {"return_url": "http://localhost/done"}}
    card = session({"type": "payment_method_update", "after_completion": back})
    assert press(f"{card.url}/card", card=DECLINED)[0] == 402
    assert press(f"{card.url}/card", card=GOOD)[1] == "http://localhost/done"
    cards = client.customers.payment_methods.list(bought.customer)
    assert len(cards.data) == len(client.payment_methods.list({"customer": bought.customer, "type": "card"}).data) == 2
    owner = client.customers.retrieve(bought.customer, {"expand": ["invoice_settings.default_payment_method"]})
    assert owner.invoice_settings.default_payment_method.id == cards.data[0].id
    assert client.payment_methods.retrieve(cards.data[0].id).card.last4 == "4242"
    client.customers.update(bought.customer, {"invoice_settings": {"default_payment_method": cards.data[1].id}})
    assert client.payment_methods.detach(cards.data[0].id).customer is None
    leave = session({"type": "subscription_cancel", "subscription_cancel": {"subscription": bought.id},
                     "after_completion": back})
    assert press(f"{leave.url}/cancel/{bought.id}")[1] == "http://localhost/done"
    assert client.subscriptions.retrieve(bought.id).cancel_at_period_end
    home = session()
    page = urllib.request.urlopen(home.url).read().decode()
    assert "Keep plan" in page and "Invoices" in page and 'href="http://localhost/account"' in page
    press(f"{home.url}/keep/{bought.id}")
    assert not client.subscriptions.retrieve(bought.id).cancel_at_period_end


def faults():
    patient = stripe.StripeClient("sk_test_judge", base_addresses={"api": url}, max_network_retries=2)
    before = len(list(client.customers.list({"limit": 100}).auto_paging_iter()))
    for fault in ["500", "drop", "drop_after"]:
        control("fail", what=fault, endpoint="POST /v1/customers")
        patient.v1.customers.create({"email": f"{fault}@example.com"})
    control("fail", what="500_kept", endpoint="POST /v1/customers")
    refused(stripe.APIError, None, lambda: patient.v1.customers.create({"email": "kept@example.com"}))
    after = len(list(client.customers.list({"limit": 100}).auto_paging_iter()))
    assert after == before + 3, "what was done and not answered is not done twice"
    control("fail", what="429")
    refused(stripe.RateLimitError, None, lambda: client.customers.list())
    control("fail", what="drop")
    refused(stripe.APIConnectionError, None, lambda: client.customers.list())
    options = {"idempotency_key": "same"}
    client.customers.create({"email": "a@example.com"}, options)
    refused(stripe.IdempotencyError, None, lambda: client.customers.create({"email": "b@example.com"}, options))
    live = stripe.StripeClient("sk_live_judge", base_addresses={"api": url})
    refused(stripe.AuthenticationError, None, lambda: live.v1.customers.list())


def webhooks():
    """Every event was posted once, signed so that the library takes it, and is as the API tells it."""
    control("flush")
    events = [event["id"] for event in control("state")["event"]]
    told = [stripe.Webhook.construct_event(body, signature, SECRET) for body, signature in posts]
    assert sorted(event.id for event in told) == sorted(events)
    listed = [event.id for event in client.events.list({"limit": 100}).auto_paging_iter()]
    assert listed == events[::-1][:len(listed)] and len(listed) < len(events), "those of the last thirty days"
    assert client.events.retrieve(told[0].id).type == told[0].type
    bought = client.events.list({"type": "checkout.session.completed", "limit": 100}).data
    assert bought and all(event.data.object.subscription for event in bought)
    since = {"types": ["invoice.paid", "invoice.payment_failed"], "created": {"gte": bought[0].created}}
    assert {event.type for event in client.events.list(since).data} <= set(since["types"])
    body, signature = posts[0]
    forged = [
        (body, signature, "whsec_other"), (body + b" ", signature, SECRET), (body[:-1], signature, SECRET),
        (body, re.sub("t=[0-9]+", f"t={int(time.time()) + 1}", signature), SECRET),
    ]
    control("webhooks", skew=-301)
    control("redeliver", event=told[0].id)
    control("flush")
    forged.append((*posts.pop(), SECRET))
    for body, signature, secret in forged:
        try:
            stripe.Webhook.construct_event(body, signature, secret)
        except stripe.SignatureVerificationError:
            continue
        raise AssertionError("a forged webhook was taken")


def story():
    month, year = catalog()
    ann = customers()
    checkouts(ann, month)
    renewals(month)
    trials(month)
    failures(month)
    switches(month, year)
    money_back(month)
    portal(month)
    faults()
    advance(1)
    webhooks()


assert stripe.api_version == VERSION, f"the library speaks {stripe.api_version}"
stripe.max_network_retries = 0
listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
threading.Thread(target=listener.serve_forever, daemon=True).start()
program = subprocess.Popen(
    [sys.argv[1], "--bind", "127.0.0.1:0", "--webhook", f"http://127.0.0.1:{listener.server_port}/", "--secret", SECRET],
    stdout=subprocess.PIPE, text=True,
)
try:
    url = program.stdout.readline().split()[-1]
    client = stripe.StripeClient("sk_test_judge", base_addresses={"api": url}, max_network_retries=0).v1
    story()
    log, state = control("log"), control("state")
finally:
    program.terminate()
with open(sys.argv[2], "w") as passed:
    json.dump({"log": log, "events": state["event"]}, passed)
kinds = {event["type"] for event in state["event"]}
print(f"stripe {stripe.VERSION} asked {len(log)} times and took {len(posts)} webhooks of {len(kinds)} kinds")
