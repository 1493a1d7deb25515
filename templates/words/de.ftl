# Was Leserinnen und Leser lesen, auf Deutsch.

## Datum, Zeit, Aufzählungen

date = { $day }. { $month ->
        [1] Januar
        [2] Februar
        [3] März
        [4] April
        [5] Mai
        [6] Juni
        [7] Juli
        [8] August
        [9] September
        [10] Oktober
        [11] November
       *[12] Dezember
    } { $year }
date-and-time = { date }, { $time }
list-comma = {", "}
list-and = {" und "}
list-or = {" oder "}

## Wie oft

cadence-instant = Jeder Artikel
cadence-daily = Täglich
cadence-weekly = Wöchentlich
rhythm-instant = jeder Artikel sofort
rhythm-daily = täglich um { $hour }
rhythm-weekly = { $weekday ->
        [1] montags
        [2] dienstags
        [3] mittwochs
        [4] donnerstags
        [5] freitags
        [6] samstags
       *[7] sonntags
    } um { $hour }
rhythm-each-day = einmal am Tag
rhythm-each-week = einmal in der Woche
kind-instant = Neuer Artikel
kind-daily = Tagesübersicht
kind-weekly = Wochenübersicht
digest-more = { $count ->
        [one] Ein weiterer Artikel steht im Archiv
       *[other] { $count } weitere Artikel stehen im Archiv
    }

## Auf jeder Seite

skip = Zum Text springen
nav-site = Website
nav-elsewhere = Anderswo
archive = Archiv
feed = Feed
subscribe = Abonnieren
box-title = { $site } per E-Mail

## Artikel

minutes = { $minutes }{"\u00A0"}Min.
access = Für { $access ->
        [paid] Mitglieder
       *[subscribers] Abonnenten
    }
rest = Der Rest ist für { $access ->
        [paid] Mitglieder
       *[subscribers] Abonnenten
    }
rest-for-members = Dieser Artikel geht für alle weiter, deren Mitgliedschaft ihn möglich macht.
rest-for-subscribers = Das Abonnement ist kostenlos. Wer jeden Artikel wählt, bekommt Artikel wie diesen ganz per E-Mail.
rest-sign-in = { $access ->
        [paid] Mitglieder lesen ihn nach dem Anmelden hier.
       *[subscribers] Abonnenten lesen ihn nach dem Anmelden hier.
    }
read-on = Weiterlesen
updated-on = Aktualisiert am
share = Teilen:
share-by-mail = E-Mail
related = Zum Thema
article-page = Zur Seite des Artikels
note-back = Zurück zum Text
note-number = Anmerkung { $number }
notes = Anmerkungen
links = Links
heading-link = Link zu „{ $heading }“
table = Tabelle
remark-note = Hinweis
remark-tip = Tipp
remark-important = Wichtig
remark-warning = Warnung
remark-caution = Vorsicht

## Listen von Artikeln

home-empty = Noch ist nichts erschienen. Abonnieren Sie, und der erste Artikel kommt zu Ihnen.
all-articles = Alle Artikel
articles = Artikel
section = Rubrik
author = Autor
nothing-yet = Noch nichts.
archive-description = Alles, was erschienen ist.
tag-description = Alles über { $tag }.
author-description = Artikel von { $author }.

## Abonnieren

subscribe-intro = { $site } per E-Mail, so oft Sie möchten.
newsletters = Newsletter
how-often = Wie oft
your-address = Ihre E-Mail-Adresse
sign-up-small-print = Sie bekommen eine E-Mail zum Bestätigen. In jeder Ausgabe steht ein Link zum Abbestellen.
form-mistake-title = Fehler im Formular · Abonnieren
email-empty = Bitte geben Sie Ihre E-Mail-Adresse ein, zum Beispiel reader@example.com.
email-too-long = Diese Adresse ist länger, als Mailserver erlauben.
email-malformed = Das ist keine E-Mail-Adresse. Sie sieht etwa so aus: reader@example.com.
email-domain = Diese Adresse ist für E-Mail nicht erreichbar. Hinter dem @ steht eine Domain wie example.com.
name-wrong = Ein Name ist eine Zeile mit höchstens 200 Zeichen.
cadence-unknown = Bitte wählen Sie einen der angebotenen Rhythmen.
newsletter-none = Bitte wählen Sie mindestens einen Newsletter.
newsletter-unknown = Bitte wählen Sie einen der angebotenen Newsletter.
check-your-mail-title = Sehen Sie in Ihr Postfach
check-your-mail = Wenn diese Adresse von hier E-Mails bekommen kann, ist eine Nachricht mit einem Link zum Bestätigen unterwegs. Er gilt 72 Stunden.
nothing-there = Nichts angekommen? Sehen Sie im Spam-Ordner nach.
try-again = Noch einmal versuchen

## Bestätigen

confirm = Bestätigen
confirm-title = Noch ein Klick
confirm-intro = Bestätigen Sie, dass Sie dies per E-Mail bekommen möchten:
confirm-not-me = Wenn Sie das nicht angefordert haben, schließen Sie die Seite. Es kommt dann nichts.
signed-up-title = Ihre Adresse ist bestätigt
signed-up = Danke für Ihr Abonnement. Ihre Adresse ist bestätigt.
subscribed-title = Ihr Abonnement läuft
subscribed = Ab jetzt bekommen Sie { $newsletters }.
to-the-latest = Zu den neuesten Artikeln
expired-title = Dieser Link gilt nicht mehr
expired-text = Er wurde schon benutzt oder ist zu alt. Wenn Sie gerade bestätigt haben, ist alles gut: Sie müssen nichts tun. Sonst abonnieren Sie noch einmal, und ein neuer Link kommt per E-Mail.
sign-up = Abonnieren
sign-up-again = Abonnieren Sie noch einmal, und ein neuer Link kommt per E-Mail.

## Abbestellen

leave = Abbestellen
leave-title = { $newsletter } abbestellen
leave-text = Danach kommt keine E-Mail mehr davon. Sie können jederzeit zurückkommen.
left-title = Sie haben abbestellt
left = Von { $newsletters } kommt keine E-Mail mehr.
undo = Rückgängig machen
nobodys-leave-title = Dieser Link ist unvollständig
nobodys-leave-text = Nehmen Sie den Link zum Abbestellen aus einer neueren E-Mail, oder antworten Sie darauf: Die Redaktion trägt Sie aus.
saved-title = Gespeichert
saved = Ihre Auswahl ist gespeichert.

## Was man wählen kann

weekday = { $weekday ->
        [1] Montag
        [2] Dienstag
        [3] Mittwoch
        [4] Donnerstag
        [5] Freitag
        [6] Samstag
       *[7] Sonntag
    }
preferences-title = Ihre E-Mails
preferences-rarer = Seltener: einmal in der Woche
preferences-leave = { $newsletter } abbestellen
preferences-leave-all = Alles abbestellen
preferences-why = Sie bekommen { $newsletter }, weil Sie es abonniert haben. Wer diesen Link hat, kann ändern, wie es kommt, und sonst nichts; behalten Sie ihn für sich.
preferences-left = Sie bekommen { $newsletter } nicht mehr.
next-paused = Pause bis { $day }.
next-digest = Ihre nächste Übersicht kommt am { $moment }, wenn es Neues gibt.
next-digest-then-instant = Nach Ihrer Übersicht vom { $moment } kommt jeder Artikel sofort.
next-instant = Jeder Artikel kommt sofort.
choices-hour = Uhrzeit der Übersichten ({ $zone })
choices-weekday = Die wöchentliche Übersicht kommt am
choices-topics = Themen
choices-all-topics = Wählen Sie keines, um alle zu bekommen.
choices-pause = Pause bis (leer: keine Pause)
choices-pause-wrong = Schreiben Sie einen kommenden Tag, etwa 2027-01-31.
choices-save = Speichern
mail-preferences = Seltener, andere Themen, eine Pause

## Was nicht ging

latest = Das Neueste
problem-number = Wenn es wieder geschieht, nennen Sie uns diese Nummer: { $number }
not-found-title = Diese Seite gibt es nicht
not-found = Vielleicht ist sie umgezogen. Im Archiv steht alles, was erschienen ist.
wrong-method-title = Nicht möglich
wrong-method = Diese Adresse lässt sich so nicht benutzen.
foreign-form-title = Nicht von dieser Website
foreign-form = Das Formular wurde nicht von dieser Website gesendet. Öffnen Sie die Seite hier und senden Sie es noch einmal.
too-often-title = Zu viele Anfragen
too-often = Von Ihrem Anschluss kamen zu viele. Versuchen Sie es in einer Stunde wieder.
flooded-title = Gerade zu viel los
flooded = Es kommen mehr Anfragen, als zugleich bedient werden können. Versuchen Sie es in ein paar Minuten wieder.
form-refused-title = Das hat nicht geklappt
form-malformed = Das Formular war nicht lesbar. Öffnen Sie die Seite neu und senden Sie es noch einmal.
form-too-slow = Das Formular kam zu langsam an. Senden Sie es noch einmal.
form-too-large = Das Formular war größer als jedes Formular dieser Website.
form-wrong-kind = Diese Adresse nimmt nur Formulare an.
broken-title = Unser Fehler
broken = Hier stimmt etwas nicht. Versuchen Sie es in ein paar Minuten wieder.

## E-Mails

view-in-browser = Im Browser lesen
mail-why = Sie bekommen dies, weil Sie { $newsletter } abonniert haben ({ $rhythm }).
unsubscribe = Abbestellen
digest-subject = { $title } und { $count } weitere
digest-also = Außerdem: { $titles }
confirm-mail-subject = Bestätigen Sie Ihr Abonnement von { $publication }
confirm-mail-kind = Bitte bestätigen
confirm-mail-intro = Jemand, vermutlich Sie, möchte dies an Ihre Adresse bekommen:
confirm-mail-asked = Angefordert auf der Website am { $date }. Wenn Sie das nicht waren, tun Sie nichts: Ohne den Klick kommt keine E-Mail.
link-works-for = { $hours ->
        [one] Der Link gilt eine Stunde.
       *[other] Der Link gilt { $hours } Stunden.
    }
button-fails = Wenn der Knopf nicht funktioniert, öffnen Sie diese Adresse:
open-this-address = Öffnen Sie zum Bestätigen diese Adresse.

## Anmelden, und das Konto

sign-in = Anmelden
sign-in-text = Geben Sie Ihre Adresse ein. Ein Link und ein Code kommen per E-Mail. Ein Passwort gibt es nicht.
sign-in-send = Link schicken
sign-in-mailed = { $minutes ->
        [one] Wenn diese Adresse hier bekannt ist, ist eine Nachricht mit Link und Code unterwegs. Beide gelten eine Minute.
       *[other] Wenn diese Adresse hier bekannt ist, ist eine Nachricht mit Link und Code unterwegs. Beide gelten { $minutes } Minuten.
    }
sign-in-code-text = Öffnen Sie den Link in der Nachricht, oder geben Sie hier den Code ein.
sign-in-code = Code
sign-in-wrong-code = Dieser Code gilt nicht. Sehen Sie noch einmal nach, oder lassen Sie sich einen neuen schicken.
sign-in-nothing-came = Nichts angekommen? Sehen Sie im Spam-Ordner nach, oder lassen Sie es noch einmal schicken.
sign-in-again = Noch einmal schicken
sign-in-other-address = Andere Adresse
sign-in-here-text = Sie wollten sich in diesem Browser als { $email } anmelden. Ein Klick genügt.
sign-in-elsewhere-text = Sie wollten sich in einem anderen Browser als { $email } anmelden. Geben Sie dort diesen Code ein:
sign-in-instead-text = Möchten Sie lieber hier lesen? Dann melden Sie sich hier an, wenn Sie es waren, die das angefordert haben.
sign-in-instead = Lieber hier anmelden
sign-in-not-you = Wenn Sie das nicht angefordert haben, schließen Sie die Seite. Es ist nichts geschehen.
sign-in-expired-text = Er wurde schon benutzt, ist zu alt, oder ein neuerer wurde geschickt. Fordern Sie einen anderen an: Er ist gleich da.
signed-in-title = Willkommen zurück
signed-in = Willkommen zurück. Sie sind angemeldet.
account = Ihr Konto
account-link = Konto
account-of = Sie sind angemeldet als { $email }.
sessions = Wo Sie angemeldet sind
session-browser = Ein Browser
session-this = dieser Browser
session-times = Seit { $since }, zuletzt gesehen { $seen }
session-end = Dort abmelden
sign-out = Abmelden
sign-out-everywhere = Überall abmelden
sign-in-mail-subject = Anmelden bei { $publication }
sign-in-mail-link = { $minutes ->
        [one] Dieser Link meldet Sie an. Er gilt einmal, eine Minute lang.
       *[other] Dieser Link meldet Sie an. Er gilt einmal, { $minutes } Minuten lang.
    }
sign-in-mail-code = Oder geben Sie diesen Code in dem Browser ein, in dem Sie das angefordert haben:
sign-in-mail-keep = Leiten Sie diese Nachricht nie weiter, und sagen Sie niemandem den Code: Wer ihn hat, wird als Sie angemeldet. { $publication } fragt Sie nie danach.
sign-in-mail-asked = Angefordert am { $date }. Wenn Sie es nicht waren, tun Sie nichts: Ohne diese Nachricht kommt niemand hinein.
sign-in-mail-asked-with = Angefordert am { $date } mit { $browser }. Wenn Sie es nicht waren, tun Sie nichts: Ohne diese Nachricht kommt niemand hinein.

## Abonnieren, und willkommen

address-meant = Welche Adresse stimmt?
leave-empty = Lassen Sie das leer
send-again = Noch einmal schicken
subscribe-from-elsewhere = Drücken Sie noch einmal auf den Knopf, dann kommt eine E-Mail mit einem Link zum Bestätigen.
welcome-mail-subject = Willkommen bei { $publication }
welcome-mail-kind = Willkommen
welcome-mail-title = Schön, dass Sie da sind
welcome-mail-intro = Ihr Abonnement läuft. Das kommt von { $publication }, und dann:
welcome-mail-choose = Öfter, seltener, andere Themen
welcome-mail-why = Sie bekommen das einmal, weil Sie gerade Ihre Adresse bestätigt haben.

## The account

account-feed = Ihr eigener Feed
account-feed-is = Ein Feedreader, der diese Adresse kennt, bringt Ihnen jeden Artikel, soweit Sie ihn lesen dürfen.
account-feed-address = Die Adresse Ihres Feeds
account-feed-secret = Wer die Adresse hat, liest, was Sie lesen; behalten Sie sie deshalb für sich. Eine neue Adresse beendet diese.
account-feed-new = Neue Adresse machen
account-next = Ihre nächsten Mails
account-next-if = Eine Übersicht kommt nur, wenn es Neues gibt.
account-others = Mehr zu lesen
account-add = { $newsletter } bestellen
account-you = Über Sie
account-name = Name
account-zone = Zeitzone
account-language = Sprache
account-data = Ihre Daten
account-export = Alles herunterladen, was über Sie gespeichert ist
erase-title = Mein Konto löschen
erase-what = Alle Ihre Abonnements enden, und Adresse, Name, Sprache und Zeitzone werden aus allem entfernt, was gespeichert ist, sofort und endgültig. Sie werden überall abgemeldet.
erase-kept = Was bleibt: dass so viele E-Mails verschickt wurden, ohne zu sagen, an wen; und eine Zahl, die aus Ihrer Adresse berechnet ist und sich nicht zurückrechnen lässt, damit keine Liste, die jemand einliest, Sie zurückbringt. Sie selbst können sich jederzeit wieder anmelden. Eine letzte E-Mail sagt, dass es geschehen ist.
erase-button = Jetzt alles löschen
erase-sign-in = Damit das niemand anders tun kann, melden Sie sich zuerst noch einmal an.
erased-mail-subject = Ihr Konto bei { $publication } ist gelöscht
erased-mail-kind = Gelöscht
erased-mail-text = Alles, was { $publication } über Sie gespeichert hatte, ist gelöscht. Das ist die letzte E-Mail; auch ihre Spuren werden binnen zwei Tagen gelöscht.
erased-mail-why = Sie bekommen das einmal, weil jemand, der als Sie angemeldet war, darum gebeten hat.
erased-page = Ihr Konto ist gelöscht. Auf Wiedersehen, und danke fürs Lesen.
stopped-subject = Der Versand ist angehalten: { $newsletters }
stopped-kind = Der Versand ist angehalten
stopped-text = { $what ->
        [complaint] Zu viele E-Mails von { $newsletters } wurden als Spam gemeldet.
        [policy] Zu viele E-Mails von { $newsletters } wurden abgewiesen.
        [authentication] E-Mails von { $newsletters } werden wegen unserer Authentifizierung oder unseres DNS abgewiesen.
       *[other] Zu viele Postfächer, an die { $newsletters } geht, gibt es nicht.
    }
stopped-next = Ausgaben, die unterwegs waren, stehen still, und was von jetzt an versiegelt wird, wartet; Links zum Anmelden und Bestätigungen gehen weiter hinaus. „pressrun doctor --dns“ sagt mehr. Ist die Ursache behoben, lässt „pressrun issue resume“ den Newsletter weiterlaufen.
stopped-why = Sie bekommen das, weil Antworten auf den Newsletter an diese Adresse gehen.
new-address = Neue E-Mail-Adresse
new-address-title = Adresse ändern
new-address-send = Link dorthin schicken
new-address-mailed = Wenn diese Adresse hier Ihre werden kann, ist eine Nachricht mit einem Link zum Bestätigen dorthin unterwegs. Er gilt 24 Stunden. Bis dahin ändert sich nichts.
new-address-text = Ab jetzt geht alles, was an Ihr Konto hier geht, an { $email }. Sie werden überall abgemeldet, und die alte Adresse erfährt davon.
new-address-mail-subject = Bestätigen Sie Ihre neue Adresse bei { $publication }
new-address-mail-text = Jemand, vermutlich Sie, möchte diese Adresse für das eigene Konto bei { $publication }. Bestätigen Sie sie mit dem Link.
new-address-mail-why = Angefordert am { $date } von jemandem, der angemeldet war. Wenn Sie das nicht waren, tun Sie nichts: Ohne den Klick ändert sich nichts.
old-address-title = Adresse zurückholen
old-address-text = Ihr Konto bekommt seine alte Adresse { $email } zurück, und alle werden davon abgemeldet.
old-address-button = Zurückholen
old-address-mail-subject = Ihre Adresse bei { $publication } wurde geändert
old-address-mail-text = Ihr Konto bei { $publication } hat seit { $date } eine andere Adresse. Wenn Sie das waren, ist alles gut. Wenn nicht, holen Sie die alte mit dem Link zurück: Wer das getan hat, wird abgemeldet.
old-address-mail-why = Sie bekommen das einmal, weil dies die Adresse des Kontos war.
address-moved-title = Die Adresse ist geändert
address-moved = Die Adresse des Kontos ist geändert, und alle sind davon abgemeldet. Melden Sie sich mit der Adresse wieder an, die es jetzt hat.
address-sign-in = Damit niemand anders Ihre Adresse ändern kann, melden Sie sich zuerst noch einmal an.
language-name = Deutsch

## Geld

decimal-mark = ,
money-symbol = { $amount }{"\u00A0"}{ $currency }
money-code = { $amount }{"\u00A0"}{ $currency }
price-each = { $every ->
        [month] { $price } im Monat
       *[year] { $price } im Jahr
    }

bill-kind = { $what ->
        [begun] Ihre Mitgliedschaft
        [paid] Beleg
        [failed] Zahlung fehlgeschlagen
        [given-back] Geld zurück
       *[other] Ihre Mitgliedschaft
    }
bill-subject = { $what ->
        [begun] Sie sind Mitglied bei { $publication }
        [paid] Beleg: { $amount } an { $publication }
        [failed] { $publication }: Ihre Zahlung von { $amount } ist fehlgeschlagen
        [given-back] { $publication }: { $amount } zurück an Sie
        [cancelled] Ihre Mitgliedschaft bei { $publication } endet bald
       *[ended] Ihre Mitgliedschaft bei { $publication } ist zu Ende
    }
bill-title = { $what ->
        [begun] Willkommen als Mitglied
        [paid] Danke
        [failed] Ihre Zahlung ist fehlgeschlagen
        [given-back] Sie bekommen { $amount } zurück
        [cancelled] Ihre Mitgliedschaft endet bald
       *[ended] Ihre Mitgliedschaft ist zu Ende
    }
bill-text = { $what ->
        [begun] Ihre Probezeit mit „{ $plan }“ hat am { $day } begonnen. Bis sie vorbei ist, wird nichts abgebucht; danach kostet es { $amount }.
        [paid] Am { $day } haben wir { $amount } für „{ $plan }“ erhalten.
        [failed] { $amount } für „{ $plan }“ konnten nicht abgebucht werden. Sie können bis { $until } weiterlesen; bitte prüfen Sie bis dahin Ihre Karte.
        [given-back] { $amount } für „{ $plan }“ gehen auf die Karte zurück, von der sie kamen. Das kann einige Tage dauern.
        [cancelled] „{ $plan }“ ist gekündigt. Bis { $until } können Sie alles lesen; es wird nichts mehr abgebucht.
       *[ended] „{ $plan }“ ist zu Ende, und es wird nichts mehr abgebucht. Ihre Newsletter bleiben, wie sie sind.
    }
bill-lapsed = { $amount } für „{ $plan }“ konnten nicht abgebucht werden, und was für Mitglieder ist, bleibt bis dahin zu. Bitte prüfen Sie Ihre Karte.
bill-next = { $what ->
        [failed] Am { $day } wird es noch einmal versucht.
       *[other] Die nächste Zahlung ist am { $day } fällig.
    }
bill-account = { $what ->
        [failed] Karte ändern
       *[other] Ihr Konto
    }
bill-why = Sie bekommen diese Mail, weil Sie für eine Mitgliedschaft bezahlen oder bezahlt haben.

plans = Mitglied werden
plans-intro = Mitglieder von { $site } lesen jeden Artikel ganz, hier und in ihren E-Mails.
plans-paid = Vielen Dank. An die Adresse, mit der Sie bezahlt haben, ist eine Nachricht unterwegs; mit ihrem Link oder Code melden Sie sich an.
plans-small-print = Sie bezahlen auf einer Seite unseres Zahlungsdienstes. Sie können jederzeit kündigen und lesen weiter, was bezahlt ist.
plans-sign-in = Sind Sie schon Mitglied? Anmelden
plans-other = Andere Tarife
plan-yours = Das ist Ihr Tarif.
plan-trial = { $days ->
        [one] Der erste Tag ist kostenlos.
       *[other] Die ersten { $days } Tage sind kostenlos.
    }
plan-buy = { $price } wählen
hand-over-title = Weiter zum Zahlungsdienst
hand-over = Wenn gleich nichts geschieht, geht es hier weiter.
hand-over-button = Weiter
switch-title = Tarif wechseln
switch-to = Sie wechseln sofort zu „{ $plan }“.
switch-credit = Was von Ihrem jetzigen Tarif übrig ist, wird abgezogen: { $amount }
switch-now = Jetzt zu zahlen: { $amount }
switch-next = Danach { $amount } am { $day }
switch-button = Wechseln und { $amount } zahlen
switch-declined = Die Karte wurde abgelehnt; nichts hat sich geändert.
billing-updated-title = Zahlungsdaten geändert
billing-updated = Zahlungsdaten geändert.
billing-not-updated-title = Zahlungsdaten nicht geändert
billing-not-updated = Zahlungsdaten nicht geändert.
membership = Mitgliedschaft
membership-state = { $state ->
        [granted] Sie sind Mitglied bis { $until } und lesen jeden Artikel ganz.
        [trial] Ihre Probezeit läuft, und Sie lesen jeden Artikel ganz.
        [active] Sie sind Mitglied und lesen jeden Artikel ganz.
        [past-due] Ihre letzte Zahlung fehlt. Bis { $until } lesen Sie jeden Artikel ganz; bitte prüfen Sie bis dahin Ihre Karte.
        [lapsed] Ihre letzte Zahlung fehlt, und was für Mitglieder ist, bleibt zu, bis sie da ist. Bitte prüfen Sie Ihre Karte.
       *[cancelled] Ihre Mitgliedschaft ist gekündigt. Bis { $until } lesen Sie jeden Artikel ganz.
    }
membership-next = Die nächste Zahlung ist am { $day } fällig.
membership-card = Karte ändern
membership-invoices = Rechnungen
membership-cancel = Mitgliedschaft kündigen
membership-resume = Doch weiterführen
invoice-state = { $state ->
        [paid] bezahlt
        [open] offen
        [given-back] zurückgezahlt
        [disputed] bestritten
       *[void] storniert
    }
erase-membership = Ihre Mitgliedschaft endet sofort, und was davon übrig ist, wird nicht erstattet. Der Zahlungsdienst behält seine Rechnungen, wie es das Gesetz verlangt.
payment-away-title = Der Zahlungsdienst antwortet nicht
payment-away = Vielleicht ist es geschehen, vielleicht nicht; in ein paar Minuten steht es in Ihrem Konto. Wenn Sie bezahlt haben, sind Sie Mitglied, sobald er antwortet.
