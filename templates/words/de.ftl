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
kind-instant = Neuer Artikel
kind-daily = Tagesüberblick
kind-weekly = Wochenüberblick

## Seiten, auf denen Leserinnen und Leser etwas tun

subscribe = Abonnieren
confirm = Bestätigen
leave = Abbestellen
form-mistake-title = Fehler im Formular · Abonnieren
expired-title = Dieser Link gilt nicht mehr
nobodys-leave-title = Dieser Link ist unvollständig
check-your-mail-title = Bitte sehen Sie in Ihr Postfach
signed-up-title = Ihre Adresse ist bestätigt
subscribed-title = Ihr Abonnement läuft
left-title = Sie haben abbestellt
saved-title = Gespeichert

## What a reader chooses

weekday = { $weekday ->
        [1] Montag
        [2] Dienstag
        [3] Mittwoch
        [4] Donnerstag
        [5] Freitag
        [6] Samstag
       *[7] Sonntag
    }
preferences-title = Ihre Post
preferences-rarer = Seltener: einmal in der Woche
preferences-leave = { $newsletter } abbestellen
preferences-leave-all = Alles abbestellen
preferences-why = Sie bekommen { $newsletter }, weil Sie sich dafür angemeldet haben. Wer diesen Link hat, kann ändern, wie die Post kommt, und sonst nichts; behalten Sie ihn für sich.
preferences-left = Sie bekommen { $newsletter } nicht mehr.
next-paused = Pause bis { $day }.
next-digest = Ihre nächste Übersicht kommt am { $moment }, wenn es Neues gibt.
next-digest-then-instant = Nach Ihrer Übersicht vom { $moment } kommt jeder Artikel sofort.
next-instant = Jeder Artikel kommt sofort.
choices-cadence = Wie oft
choices-hour = Übersichten kommen um ({ $zone })
choices-weekday = Die wöchentliche Übersicht kommt am
choices-topics = Themen
choices-all-topics = Wählen Sie keines, um alle zu bekommen.
choices-pause = Pause bis (leer: keine Pause)
choices-pause-wrong = Schreiben Sie einen kommenden Tag, etwa 2027-01-31.
choices-save = Speichern
mail-preferences = Seltener, andere Themen, eine Pause
