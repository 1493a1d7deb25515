# What readers are told, in English. Every other language says the same, in a file of its own; what one lacks is said
# in English. Values stand as { $name }; see https://projectfluent.org for plural forms.

## Dates, times, lists

date = { $day } { $month ->
        [1] January
        [2] February
        [3] March
        [4] April
        [5] May
        [6] June
        [7] July
        [8] August
        [9] September
        [10] October
        [11] November
       *[12] December
    } { $year }
date-and-time = { date }, { $time }
list-comma = {", "}
list-and = {" and "}
list-or = {" or "}

## How often

cadence-instant = Each article
cadence-daily = Daily
cadence-weekly = Weekly
rhythm-instant = each article at once
rhythm-daily = daily at { $hour }
rhythm-weekly = { $weekday ->
        [1] Mondays
        [2] Tuesdays
        [3] Wednesdays
        [4] Thursdays
        [5] Fridays
        [6] Saturdays
       *[7] Sundays
    } at { $hour }
rhythm-each-day = once a day
rhythm-each-week = once a week
kind-instant = New article
kind-daily = Daily digest
kind-weekly = Weekly digest
digest-more = { $count ->
        [one] One more article stands in the archive
       *[other] { $count } more articles stand in the archive
    }

## On every page

skip = Skip to the text
nav-site = Site
nav-elsewhere = Elsewhere
archive = Archive
feed = Feed
subscribe = Subscribe
box-title = Get { $site } by mail

## Stories

minutes = { $minutes }{"\u00A0"}min
access = For { $access ->
        [paid] members
       *[subscribers] subscribers
    }
rest = The rest is for { $access ->
        [paid] members
       *[subscribers] subscribers
    }
rest-for-members = This article goes on for those whose membership makes it possible.
rest-for-subscribers = Subscribing is free. Readers who choose each article get articles like this in full by mail.
rest-sign-in = { $access ->
        [paid] Members who sign in read it here.
       *[subscribers] Subscribers who sign in read it here.
    }
read-on = Read on
updated-on = Updated
share = Share:
share-by-mail = Mail
related = Related
article-page = The article’s page
note-back = Back to the text
note-number = Note { $number }
notes = Notes
links = Links
heading-link = Link to “{ $heading }”
table = Table
remark-note = Note
remark-tip = Tip
remark-important = Important
remark-warning = Warning
remark-caution = Caution

## Lists of stories

home-empty = Nothing is published yet. Sign up, and the first article will come to you.
all-articles = All articles
articles = Articles
section = Section
author = Author
nothing-yet = Nothing yet.
archive-description = Everything that was published.
tag-description = Everything about { $tag }.
author-description = Articles by { $author }.

## Signing up

subscribe-intro = { $site } by mail, as often as you like.
newsletters = Newsletters
how-often = How often
your-address = Your mail address
sign-up-small-print = You get one mail to confirm. Every issue has a link to leave.
form-mistake-title = Mistake in the form · Subscribe
email-empty = Type your mail address, such as reader@example.com.
email-too-long = This address is longer than mail servers allow.
email-malformed = This is not a mail address. One looks like reader@example.com.
email-domain = Mail cannot reach this address. What follows the @ is a domain such as example.com.
name-wrong = A name is one line of at most 200 characters.
cadence-unknown = Choose one of the rhythms shown here.
newsletter-none = Choose at least one newsletter.
newsletter-unknown = Choose one of the newsletters shown here.
check-your-mail-title = Check your mail
check-your-mail = If this address can get mail from here, a message is on its way with a link to confirm. It works for 72 hours.
nothing-there = Nothing there? Look in spam.
try-again = Try again

## Confirming

confirm = Confirm
confirm-title = One more click
confirm-intro = Confirm that you want to get this by mail:
confirm-not-me = If you did not ask for this, close the page. Nothing will come.
signed-up-title = Your address is confirmed
signed-up = Thank you for signing up. Your address is confirmed.
subscribed-title = You are subscribed
subscribed = From now on you get { $newsletters }.
to-the-latest = To the latest articles
expired-title = This link does not work any more
expired-text = It was used before, or it is too old. If you have just confirmed, all is well: you need do nothing. Otherwise sign up again, and a new link will come by mail.
sign-up = Sign up
sign-up-again = Sign up again, and a new link will come by mail.

## Leaving

leave = Leave
leave-title = Leave { $newsletter }
leave-text = No more mail will come from it. You can come back at any time.
left-title = You have left
left = No more mail comes from { $newsletters }.
undo = Undo
nobodys-leave-title = This link is incomplete
nobodys-leave-text = Use the unsubscribe link in a newer mail, or answer that mail and the editors take you off.
saved-title = Saved
saved = Your choice is kept.

## What a reader chooses

weekday = { $weekday ->
        [1] Monday
        [2] Tuesday
        [3] Wednesday
        [4] Thursday
        [5] Friday
        [6] Saturday
       *[7] Sunday
    }
preferences-title = Your mail
preferences-rarer = Less often: make it weekly
preferences-leave = Leave { $newsletter }
preferences-leave-all = Leave everything
preferences-why = You get { $newsletter } because you signed up for it. Whoever has this link can change how it comes, and nothing else, so keep it to yourself.
preferences-left = You do not get { $newsletter } any more.
next-paused = Paused until { $day }.
next-digest = Your next digest comes on { $moment }, if there is news.
next-digest-then-instant = After your digest of { $moment }, each article comes at once.
next-instant = Each article comes at once.
choices-hour = Digests come at ({ $zone })
choices-weekday = The weekly digest comes on
choices-topics = Topics
choices-all-topics = Choose none to get all of them.
choices-pause = Pause until (empty: no pause)
choices-pause-wrong = Write a day to come, such as 2027-01-31.
choices-save = Save
mail-preferences = Less often, other topics, a pause

## What went wrong

latest = The latest
problem-number = If it happens again, tell us this number: { $number }
not-found-title = There is no such page
not-found = It may have moved. The archive lists everything that was published.
wrong-method-title = Not possible
wrong-method = This address cannot be used in that way.
foreign-form-title = Not from this site
foreign-form = The form was not sent from this site. Open the page here and send it again.
too-often-title = Too many requests
too-often = There were too many from your connection. Try again in an hour.
flooded-title = Too busy just now
flooded = More readers are signing up than can be served at once. Try again in a few minutes.
form-refused-title = That did not work
form-malformed = The form could not be read. Open the page again and send it once more.
form-too-slow = The form took too long to arrive. Send it once more.
form-too-large = The form was larger than any form of this site.
form-wrong-kind = This address takes forms only.
broken-title = Our fault
broken = Something is wrong here. Try again in a few minutes.

## Mails

view-in-browser = View in browser
mail-why = You get this because you signed up for { $newsletter }, { $rhythm }.
unsubscribe = Unsubscribe
digest-subject = { $title } and { $count } more
digest-also = Also: { $titles }
confirm-mail-subject = Confirm your subscription to { $publication }
confirm-mail-kind = Please confirm
confirm-mail-intro = Somebody, we think you, asked to get this at your address:
confirm-mail-asked = Asked for on the site on { $date }. If it was not you, do nothing: without the click no mail will come.
link-works-for = { $hours ->
        [one] The link works for one hour.
       *[other] The link works for { $hours } hours.
    }
button-fails = If the button does not, open this address:
open-this-address = To confirm, open this address.

## Signing in, and the account

sign-in = Sign in
sign-in-text = Type your address, and a link and a code come by mail. There is no password.
sign-in-send = Send me a link
sign-in-mailed = { $minutes ->
        [one] If this address is known here, a message with a link and a code is on its way. They work for one minute.
       *[other] If this address is known here, a message with a link and a code is on its way. They work for { $minutes } minutes.
    }
sign-in-code-text = Open the link in the message, or type its code here.
sign-in-code = Code
sign-in-wrong-code = This code does not work. Look at it again, or have a new one sent.
sign-in-nothing-came = Nothing there? Look in spam, or have it sent again.
sign-in-again = Send it again
sign-in-other-address = Another address
sign-in-here-text = You asked in this browser to sign in as { $email }. One click, and you are in.
sign-in-elsewhere-text = You asked in another browser to sign in as { $email }. Type this code there:
sign-in-instead-text = Would you rather read here? Then sign in here, if it was you who asked.
sign-in-instead = Sign in here instead
sign-in-not-you = If you did not ask for this, close the page. Nothing has happened.
sign-in-expired-text = It was used before, it is too old, or a newer one was sent. Ask for another: it is there in a moment.
signed-in-title = Welcome back
signed-in = Welcome back. You are signed in.
account = Your account
account-link = Account
account-of = You are signed in as { $email }.
sessions = Where you are signed in
session-browser = A browser
session-this = this browser
session-times = Since { $since }, last seen { $seen }
session-end = Sign out there
sign-out = Sign out
sign-out-everywhere = Sign out everywhere
sign-in-mail-subject = Sign in to { $publication }
sign-in-mail-link = { $minutes ->
        [one] This link signs you in. It works once, for one minute.
       *[other] This link signs you in. It works once, for { $minutes } minutes.
    }
sign-in-mail-code = Or type this code in the browser in which you asked:
sign-in-mail-keep = Never forward this message, and tell nobody the code: whoever has it is let in as you. { $publication } will never ask you for it.
sign-in-mail-asked = Asked for on { $date }. If it was not you, do nothing: without this message nobody gets in.
sign-in-mail-asked-with = Asked for on { $date } with { $browser }. If it was not you, do nothing: without this message nobody gets in.
## Signing up, and welcome

address-meant = Which address is right?
leave-empty = Leave this empty
send-again = Send it again
subscribe-from-elsewhere = One more press of the button, and a mail with a link to confirm is on its way.
welcome-mail-subject = Welcome to { $publication }
welcome-mail-kind = Welcome
welcome-mail-title = Good to have you
welcome-mail-intro = You are subscribed. This is what comes from { $publication }, and when:
welcome-mail-choose = More often, less often, other topics
welcome-mail-why = You get this once, because you have just confirmed your address.

## The account

account-feed = Your own feed
account-feed-is = A feed reader that knows this address brings you every article, as far as you may read it.
account-feed-address = The address of your feed
account-feed-secret = Whoever has the address reads what you read, so keep it to yourself. A new address ends this one.
account-feed-new = Make a new address
account-next = Your next mails
account-next-if = A digest comes only if there is news.
account-others = More to read
account-add = Get { $newsletter }
account-you = About you
account-name = Name
account-zone = Time zone
account-language = Language
account-data = Your data
account-export = Download everything that is kept about you
erase-title = Erase my account
erase-what = All your subscriptions end, and your address, name, language and time zone are taken out of everything that is kept, at once and for good. You are signed out everywhere.
erase-kept = What stays: that so many mails went out, without saying to whom; and a number computed from your address, which cannot be read back, so that no list that somebody imports can bring you back. You yourself can sign up again at any time. One last mail says that it is done.
erase-button = Erase everything now
erase-sign-in = So that nobody else can do this, sign in once more first.
erased-mail-subject = Your account at { $publication } is erased
erased-mail-kind = Erased
erased-mail-text = Everything that { $publication } kept about you is erased. This is the last mail; its own traces are deleted within two days.
erased-mail-why = You get this once, because somebody who was signed in as you asked for it.
erased-page = Your account is erased. Goodbye, and thank you for reading.
stopped-subject = Sending has stopped: { $newsletters }
stopped-kind = Sending has stopped
stopped-text = { $what ->
        [complaint] Too many readers called mails of { $newsletters } spam.
        [policy] Too many mails of { $newsletters } were refused.
        [authentication] Mails of { $newsletters } are refused because of our authentication or DNS.
       *[other] Too many mailboxes to which { $newsletters } goes do not exist.
    }
stopped-next = Issues that were going out are paused, and so is what is sealed from now on; sign-in links and confirmations still go. “pressrun doctor --dns” says more. When the cause is gone, “pressrun issue resume” lets the newsletter go on.
stopped-why = You get this because answers to the newsletter come to this address.
new-address = New mail address
new-address-title = Change your address
new-address-send = Send a link to it
new-address-mailed = If this address can be yours here, a message is on its way to it with a link to confirm. It works for 24 hours. Until then nothing changes.
new-address-text = From now on, everything that goes to your account here goes to { $email }. You are signed out everywhere, and the old address is told.
new-address-mail-subject = Confirm your new address at { $publication }
new-address-mail-text = Somebody, we think you, wants their account at { $publication } to have this address. Confirm it with the link.
new-address-mail-why = Asked for on { $date }, by somebody who was signed in. If it was not you, do nothing: without the click nothing changes.
old-address-title = Take your address back
old-address-text = Your account gets its old address { $email } back, and everybody is signed out of it.
old-address-button = Take it back
old-address-mail-subject = Your address at { $publication } was changed
old-address-mail-text = Your account at { $publication } has had another address since { $date }. If it was you, all is well. If it was not, take it back with the link: whoever did it is signed out.
old-address-mail-why = You get this once, because this was the address of the account.
address-moved-title = The address is changed
address-moved = The address of the account is changed, and everybody is signed out of it. Sign in again with the address that it has now.
address-sign-in = So that nobody else can change your address, sign in once more first.
language-name = English

## Money

decimal-mark = .
money-symbol = { $currency }{ $amount }
money-code = { $currency }{"\u00A0"}{ $amount }
price-each = { $every ->
        [month] { $price } a month
       *[year] { $price } a year
    }

bill-kind = { $what ->
        [begun] Your membership
        [paid] Receipt
        [failed] Payment failed
        [given-back] Money back
       *[other] Your membership
    }
bill-subject = { $what ->
        [begun] You are a member of { $publication }
        [paid] Receipt: { $amount } to { $publication }
        [failed] { $publication }: your payment of { $amount } failed
        [given-back] { $publication }: { $amount } back to you
        [cancelled] Your membership of { $publication } will end
       *[ended] Your membership of { $publication } has ended
    }
bill-title = { $what ->
        [begun] Welcome as a member
        [paid] Thank you
        [failed] Your payment failed
        [given-back] You get { $amount } back
        [cancelled] Your membership will end
       *[ended] Your membership has ended
    }
bill-text = { $what ->
        [begun] Your trial of the plan “{ $plan }” has begun on { $day }. Nothing is taken before it is over; then it costs { $amount }.
        [paid] On { $day } we received { $amount } for the plan “{ $plan }”.
        [failed] { $amount } for the plan “{ $plan }” could not be taken. You can read on until { $until }; please look at your card before then.
        [given-back] { $amount } for the plan “{ $plan }” is on its way back to the card that it came from. That can take some days.
        [cancelled] The plan “{ $plan }” is cancelled. You can read everything until { $until }; nothing more is taken.
       *[ended] The plan “{ $plan }” is over, and nothing more is taken. Your newsletters stay as they are.
    }
bill-lapsed = { $amount } for the plan “{ $plan }” could not be taken, and what is for members is closed until it is. Please look at your card.
bill-next = { $what ->
        [failed] The payment is tried again on { $day }.
       *[other] The next payment is due on { $day }.
    }
bill-account = { $what ->
        [failed] Change the card
       *[other] Your account
    }
bill-why = You get this because you pay for a membership, or did.

plans = Become a member
plans-intro = Members of { $site } read every article in full, here and in their mail.
plans-paid = Thank you. A message with a link and a code that let you in is on its way to the address with which you paid.
plans-small-print = You pay on a page of our payment service. You can cancel at any time, and read on for what is paid.
plans-sign-in = You are a member already? Sign in
plans-other = Other plans
plan-yours = This is your plan.
plan-trial = { $days ->
        [one] The first day is free.
       *[other] The first { $days } days are free.
    }
plan-buy = Choose { $price }
hand-over-title = On to the payment service
hand-over = If nothing happens in a moment, go on here.
hand-over-button = Go on
switch-title = Change the plan
switch-to = You go over to “{ $plan }” at once.
switch-credit = What is left of your present plan is taken off: { $amount }
switch-now = To pay now: { $amount }
switch-next = Then { $amount } on { $day }
switch-button = Change, and pay { $amount }
switch-declined = The card was declined; nothing has changed.
billing-updated-title = Billing details updated
billing-updated = Billing details updated.
billing-not-updated-title = Billing details not updated
billing-not-updated = Billing details not updated.
membership = Membership
membership-state = { $state ->
        [granted] You are a member until { $until }, and read every article in full.
        [trial] Your trial is running, and you read every article in full.
        [active] You are a member, and read every article in full.
        [past-due] Your last payment is missing. You read every article in full until { $until }; please look at your card before then.
        [lapsed] Your last payment is missing, and what is for members is closed until it is paid. Please look at your card.
       *[cancelled] Your membership is cancelled. You read every article in full until { $until }.
    }
membership-next = The next payment is due on { $day }.
membership-card = Change the card
membership-invoices = Invoices
membership-cancel = Cancel the membership
membership-resume = Go on after all
invoice-state = { $state ->
        [paid] paid
        [open] to be paid
        [given-back] given back
        [disputed] disputed
       *[void] cancelled
    }
erase-membership = Your membership ends at once, and what is left of it is not given back. The payment service keeps its invoices, as the law asks.
payment-away-title = The payment service does not answer
payment-away = What you asked for may be done or not; your account says so in a few minutes. If you have paid, you are a member as soon as it answers.
