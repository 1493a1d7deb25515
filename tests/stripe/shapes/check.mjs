// Holds every request, answer and event that passed between clients and the stand-in against the types
// that Stripe publishes for the pinned version: `check.mjs FOLDER FILE…`, where FOLDER has `stripe` and `typescript` in
// its node_modules, and FILEs are what judge.py and the program's own tests left. Each one becomes a literal with its
// type, and the compiler refuses what is missing, unknown, or of another kind.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const [folder, ...files] = process.argv.slice(2);
const types = join(folder, 'node_modules/stripe/cjs');
const passed = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
const log = passed.flatMap(({ log }) => log);
const events = passed.flatMap(({ events }) => events);

// What is asked at an address, and what is answered; `[]` is a list of them.
const ADDRESSES = {
  'POST products': ['ProductCreateParams', 'Product'],
  'GET products/:id': ['ProductRetrieveParams', 'Product'],
  'POST prices': ['PriceCreateParams', 'Price'],
  'GET prices': ['PriceListParams', 'Price[]'],
  'GET prices/:id': ['PriceRetrieveParams', 'Price'],
  'POST prices/:id': ['PriceUpdateParams', 'Price'],
  'POST customers': ['CustomerCreateParams', 'Customer'],
  'GET customers': ['CustomerListParams', 'Customer[]'],
  'GET customers/:id': ['CustomerRetrieveParams', 'Customer | Stripe.DeletedCustomer'],
  'POST customers/:id': ['CustomerUpdateParams', 'Customer'],
  'DELETE customers/:id': ['CustomerDeleteParams', 'DeletedCustomer'],
  'GET customers/:id/payment_methods': ['CustomerListPaymentMethodsParams', 'PaymentMethod[]'],
  'GET payment_methods': ['PaymentMethodListParams', 'PaymentMethod[]'],
  'GET payment_methods/:id': ['PaymentMethodRetrieveParams', 'PaymentMethod'],
  'POST payment_methods/:id/detach': ['PaymentMethodDetachParams', 'PaymentMethod'],
  'POST checkout/sessions': ['Checkout.SessionCreateParams', 'Checkout.Session'],
  'GET checkout/sessions': ['Checkout.SessionListParams', 'Checkout.Session[]'],
  'GET checkout/sessions/:id': ['Checkout.SessionRetrieveParams', 'Checkout.Session'],
  'POST checkout/sessions/:id/expire': ['Checkout.SessionExpireParams', 'Checkout.Session'],
  'GET subscriptions': ['SubscriptionListParams', 'Subscription[]'],
  'GET subscriptions/:id': ['SubscriptionRetrieveParams', 'Subscription'],
  'POST subscriptions/:id': ['SubscriptionUpdateParams', 'Subscription'],
  'DELETE subscriptions/:id': ['SubscriptionCancelParams', 'Subscription'],
  'GET invoices': ['InvoiceListParams', 'Invoice[]'],
  'GET invoices/:id': ['InvoiceRetrieveParams', 'Invoice'],
  'POST invoices/:id/pay': ['InvoicePayParams', 'Invoice'],
  'POST invoices/create_preview': ['InvoiceCreatePreviewParams', 'Invoice'],
  'GET invoice_payments': ['InvoicePaymentListParams', 'InvoicePayment[]'],
  'GET invoice_payments/:id': ['InvoicePaymentRetrieveParams', 'InvoicePayment'],
  'GET payment_intents/:id': ['PaymentIntentRetrieveParams', 'PaymentIntent'],
  'GET charges': ['ChargeListParams', 'Charge[]'],
  'GET charges/:id': ['ChargeRetrieveParams', 'Charge'],
  'POST refunds': ['RefundCreateParams', 'Refund'],
  'GET refunds/:id': ['RefundRetrieveParams', 'Refund'],
  'GET disputes': ['DisputeListParams', 'Dispute[]'],
  'GET disputes/:id': ['DisputeRetrieveParams', 'Dispute'],
  'POST billing_portal/configurations': ['BillingPortal.ConfigurationCreateParams', 'BillingPortal.Configuration'],
  'GET billing_portal/configurations': ['BillingPortal.ConfigurationListParams', 'BillingPortal.Configuration[]'],
  'POST billing_portal/sessions': ['BillingPortal.SessionCreateParams', 'BillingPortal.Session'],
  'GET events': ['EventListParams', 'Event[]'],
  'GET events/:id': ['EventRetrieveParams', 'Event'],
};

const words = new Set(Object.keys(ADDRESSES).flatMap((address) => address.split(/[ /]/)));

/** The row of an address. */
function row(method, path) {
  const parts = path.replace('/v1/', '').split('/');
  const fits = ([known]) => {
    const [verb, pattern] = known.split(' ');
    const wanted = pattern.split('/');
    return verb === method && wanted.length === parts.length
      && wanted.every((part, at) => part === parts[at] || (part === ':id' && !words.has(parts[at])));
  };
  const found = Object.entries(ADDRESSES).filter(fits);
  if (found.length !== 1) throw new Error(`${method} ${path} is in ${found.length} rows`);
  return found[0];
}

/** Forms are text; the types have numbers and truth. Metadata stays text. */
function typed(value, name = '') {
  if (Array.isArray(value)) return value.map((item) => typed(item, name));
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, typed(inner, name === 'metadata' ? name : key)]));
  }
  if (name === 'metadata') return value;
  if (value === 'true' || value === 'false') return value === 'true';
  return /^-?\d+$/.test(value) ? Number(value) : value;
}

const seen = new Set();
const asked = new Set();
const origins = ['', '', ''];
const lines = [
  "import Stripe = require('stripe');",
  "import type { StripeRawError } from './node_modules/stripe/cjs/Types.js';",
  "type Told<Kind> = Extract<Stripe.Event, { type: Kind }>;",
];

/** One line with one literal, unless the same shape with the same words was there already. */
function hold(type, value, origin) {
  const shape = type + JSON.stringify(value, (key, inner) => {
    if (typeof inner === 'number') return 0;
    return typeof inner === 'string' && /\d/.test(inner) ? '0' : inner;
  });
  if (seen.has(shape)) return;
  seen.add(shape);
  lines.push(`{ const it: ${type} = ${JSON.stringify(value)}; void it; }`);
  origins.push(`${origin}: ${type}`);
}

/** An event, and apart from it what it says was before, of which only the names are known. */
function holdEvent({ data: { object, previous_attributes: before }, ...event }) {
  const kind = `Told<'${event.type}'>`;
  hold(kind, { ...event, data: { object } }, event.type);
  if (before) hold(`(keyof ${kind}['data']['object'])[]`, Object.keys(before), `what was before ${event.type}`);
}

for (const { method, path, params, status, answer } of log) {
  if (status >= 400) {
    hold('StripeRawError', answer.error, `${status} of ${method} ${path}`);
    // What a bank refused was asked rightly.
    if (status !== 402) continue;
  }
  const [address, [question, reply]] = row(method, path);
  asked.add(address);
  hold(`Stripe.${question}`, typed(params), `what ${address} asked`);
  if (status === 402 || reply.startsWith('Event')) continue;
  const type = reply.endsWith('[]') ? `Stripe.ApiList<Stripe.${reply.slice(0, -2)}>` : `Stripe.${reply}`;
  hold(type, answer, `what ${address} answered`);
}
events.forEach(holdEvent);
const unused = Object.keys(ADDRESSES).filter((address) => !asked.has(address));
if (unused.length > 0) throw new Error(`nobody asked ${unused.join(', ')}`);

// The check itself has to see what it is for: something missing, something unknown, another word.
const charge = events.find((event) => event.type === 'charge.succeeded').data.object;
const { currency, ...missing } = charge;
for (const wrong of [missing, { ...charge, colour: 'red' }, { ...charge, status: 'fine' }]) {
  lines.push('// @ts-expect-error', `{ const it: Stripe.Charge = ${JSON.stringify(wrong)}; void it; }`);
  origins.push('', 'what must be refused');
}

// The library makes numbers of decimals, and lets enums have words that are not known yet: neither is so on the wire.
writeFileSync(join(types, 'Decimal.d.ts'), 'export type Decimal = string;\nexport declare const Decimal: unknown;\nexport type RoundDirection = string;\nexport type DecimalRoundingOptions = unknown;\n');
const shared = join(types, 'shared.d.ts');
writeFileSync(shared, readFileSync(shared, 'utf8').replace(/type OtherString = .*/, 'type OtherString = never;'));
writeFileSync(join(folder, 'passed.cts'), `${lines.join('\n')}\n`);
const flags = '--noEmit --strict --exactOptionalPropertyTypes --skipLibCheck --module node16 --target es2022 --types';
const compiler = resolve(folder, 'node_modules/.bin/tsc');
const made = spawnSync(compiler, [...flags.split(' '), '', 'passed.cts'], { cwd: folder, encoding: 'utf8' });
const told = (made.stdout ?? '').replace(/^passed\.cts\((\d+),\d+\)/gm, (_, line) => origins[line - 1] || line);
if (made.error || made.status !== 0) {
  console.error(made.error ?? told.replace(/\{ [^\n]{2000,}/g, '…') + made.stderr);
  process.exit(1);
}
console.log(`${seen.size} different requests, answers and events have their published shapes`);
