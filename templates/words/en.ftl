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
