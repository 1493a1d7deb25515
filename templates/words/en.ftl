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
kind-instant = New article
kind-daily = Daily digest
kind-weekly = Weekly digest

## Pages on which readers act

subscribe = Subscribe
confirm = Confirm
leave = Leave
form-mistake-title = Mistake in the form · Subscribe
expired-title = This link does not work any more
nobodys-leave-title = This link is incomplete
check-your-mail-title = Check your mail
signed-up-title = Your address is confirmed
subscribed-title = You are subscribed
left-title = You have left
saved-title = Saved

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
choices-cadence = How often
choices-hour = Digests come at ({ $zone })
choices-weekday = The weekly digest comes on
choices-topics = Topics
choices-all-topics = Choose none to get all of them.
choices-pause = Pause until (empty: no pause)
choices-pause-wrong = Write a day to come, such as 2027-01-31.
choices-save = Save
mail-preferences = Less often, other topics, a pause
