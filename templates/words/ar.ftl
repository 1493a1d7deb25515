# ما يقرؤه القرّاء، بالعربية.

## التاريخ والوقت والقوائم

date = { $day } { $month ->
        [1] يناير
        [2] فبراير
        [3] مارس
        [4] أبريل
        [5] مايو
        [6] يونيو
        [7] يوليو
        [8] أغسطس
        [9] سبتمبر
        [10] أكتوبر
        [11] نوفمبر
       *[12] ديسمبر
    } { $year }
date-and-time = { date }، { $time }
list-comma = {"، "}
list-and = {" و"}
list-or = {" أو "}

## الوتيرة

cadence-instant = كل مقال
cadence-daily = يوميًا
cadence-weekly = أسبوعيًا
rhythm-instant = كل مقال فور نشره
rhythm-daily = يوميًا الساعة { $hour }
rhythm-weekly = كل { $weekday ->
        [1] يوم اثنين
        [2] يوم ثلاثاء
        [3] يوم أربعاء
        [4] يوم خميس
        [5] يوم جمعة
        [6] يوم سبت
       *[7] يوم أحد
    } الساعة { $hour }
rhythm-each-day = مرة في اليوم
rhythm-each-week = مرة في الأسبوع
kind-instant = مقال جديد
kind-daily = الموجز اليومي
kind-weekly = الموجز الأسبوعي
digest-more = { $count ->
        [one] مقال آخر في الأرشيف
        [two] مقالان آخران في الأرشيف
        [few] { $count } مقالات أخرى في الأرشيف
        [many] { $count } مقالًا آخر في الأرشيف
       *[other] { $count } مقال آخر في الأرشيف
    }

## في كل صفحة

skip = انتقل إلى النص
nav-site = الموقع
nav-elsewhere = روابط أخرى
archive = الأرشيف
feed = الخلاصة
subscribe = اشتراك
box-title = { $site } عبر البريد الإلكتروني

## المقالات

minutes = { $minutes ->
        [zero] أقل من دقيقة
        [one] دقيقة واحدة
        [two] دقيقتان
        [few] { $minutes }{"\u00A0"}دقائق
        [many] { $minutes }{"\u00A0"}دقيقة
       *[other] { $minutes }{"\u00A0"}دقيقة
    }
access = { $access ->
        [paid] للأعضاء
       *[subscribers] للمشتركين
    }
rest = بقية المقال { $access ->
        [paid] للأعضاء
       *[subscribers] للمشتركين
    }
rest-for-members = تتاح بقية هذا المقال لمن تجعله عضويتهم ممكنًا.
rest-for-subscribers = الاشتراك مجاني. من يختار «كل مقال» تصله مقالات كهذا كاملةً بالبريد.
rest-sign-in = { $access ->
        [paid] يقرؤها الأعضاء هنا بعد تسجيل الدخول.
       *[subscribers] يقرؤها المشتركون هنا بعد تسجيل الدخول.
    }
read-on = تابع القراءة
updated-on = حُدِّث في
share = شارك:
share-by-mail = البريد
related = مقالات ذات صلة
article-page = صفحة المقال
note-back = عودة إلى النص
note-number = الحاشية { $number }
notes = الحواشي
links = الروابط
heading-link = رابط إلى «{ $heading }»
table = جدول
remark-note = ملاحظة
remark-tip = نصيحة
remark-important = مهم
remark-warning = تحذير
remark-caution = انتبه

## قوائم المقالات

home-empty = لم يُنشر شيء بعد. اشترك ليصلك أول مقال.
all-articles = كل المقالات
articles = المقالات
section = القسم
author = الكاتب
nothing-yet = لا شيء بعد.
archive-description = كل ما نُشر.
tag-description = كل ما نُشر عن { $tag }.
author-description = مقالات { $author }.

## الاشتراك

subscribe-intro = { $site } عبر البريد، بالوتيرة التي تناسبك.
newsletters = النشرات
how-often = الوتيرة
your-address = عنوان بريدك الإلكتروني
sign-up-small-print = ستصلك رسالة واحدة للتأكيد. وفي كل عدد رابط لإلغاء الاشتراك.
form-mistake-title = خطأ في النموذج · اشتراك
email-empty = اكتب عنوان بريدك، مثل reader@example.com.
email-too-long = هذا العنوان أطول مما تسمح به خوادم البريد.
email-malformed = هذا ليس عنوان بريد. مثال على عنوان صحيح: reader@example.com.
email-domain = لا يمكن للبريد أن يصل إلى هذا العنوان. ما يلي @ هو نطاق مثل example.com.
name-wrong = يُكتب الاسم في سطر واحد لا يزيد على 200 حرف.
cadence-unknown = اختر إحدى الوتائر المعروضة هنا.
newsletter-none = اختر نشرة واحدة على الأقل.
newsletter-unknown = اختر من النشرات المعروضة هنا.
check-your-mail-title = تفقّد بريدك
check-your-mail = إن كان هذا العنوان يستقبل بريدنا فقد أُرسلت إليه رسالة فيها رابط للتأكيد، وهو صالح مدة 72 ساعة.
nothing-there = لم يصلك شيء؟ ابحث في البريد غير المرغوب فيه.
try-again = حاول مرة أخرى

## التأكيد

confirm = تأكيد
confirm-title = بقيت نقرة واحدة
confirm-intro = أكِّد أنك تريد أن يصلك هذا بالبريد:
confirm-not-me = إن لم تطلب هذا فأغلق الصفحة، ولن يصلك شيء.
signed-up-title = تم تأكيد عنوانك
signed-up = شكرًا على اشتراكك. تم تأكيد عنوانك.
subscribed-title = تم اشتراكك
subscribed = ستصلك من الآن: { $newsletters }.
to-the-latest = إلى أحدث المقالات
expired-title = لم يعد هذا الرابط صالحًا
expired-text = استُخدم الرابط من قبل أو مضى وقته. إن كنت قد أكّدت للتو فكل شيء على ما يرام ولا حاجة إلى فعل شيء، وإلا فاشترك من جديد ليصلك رابط آخر بالبريد.
sign-up = اشترك
sign-up-again = اشترك من جديد ليصلك رابط آخر بالبريد.

## إلغاء الاشتراك

leave = إلغاء الاشتراك
leave-title = إلغاء الاشتراك في { $newsletter }
leave-text = لن يصلك منها بريد بعد ذلك. ويمكنك العودة متى شئت.
left-title = تم إلغاء اشتراكك
left = لن يصلك بعد الآن بريد من { $newsletters }.
undo = تراجع
nobodys-leave-title = هذا الرابط غير مكتمل
nobodys-leave-text = استعمل رابط إلغاء الاشتراك في رسالة أحدث، أو ردّ على تلك الرسالة فيلغي المحررون اشتراكك.
saved-title = تم الحفظ
saved = حُفظ اختيارك.

## ما يختاره القارئ

weekday = { $weekday ->
        [1] الاثنين
        [2] الثلاثاء
        [3] الأربعاء
        [4] الخميس
        [5] الجمعة
        [6] السبت
       *[7] الأحد
    }
preferences-title = بريدك
preferences-rarer = وتيرة أقل: مرة في الأسبوع
preferences-leave = إلغاء الاشتراك في { $newsletter }
preferences-leave-all = إلغاء جميع الاشتراكات
preferences-why = تصلك { $newsletter } لأنك اشتركت فيها. من يملك هذا الرابط يستطيع تغيير طريقة وصول البريد ولا شيء غير ذلك، فاحتفظ به لنفسك.
preferences-left = لم تعد تصلك { $newsletter }.
next-paused = متوقف حتى { $day }.
next-digest = يصلك الموجز التالي في { $moment }، إن كان هناك جديد.
next-digest-then-instant = بعد موجز { $moment } يصلك كل مقال فور نشره.
next-instant = يصلك كل مقال فور نشره.
choices-hour = ساعة وصول الموجز ({ $zone })
choices-weekday = يوم وصول الموجز الأسبوعي
choices-topics = المواضيع
choices-all-topics = لا تختر شيئًا لتصلك جميعها.
choices-pause = إيقاف حتى (فارغ: دون إيقاف)
choices-pause-wrong = اكتب يومًا قادمًا، مثل 2027-01-31.
choices-save = حفظ
mail-preferences = وتيرة أقل، مواضيع أخرى، إيقاف مؤقت

## ما لم ينجح

latest = الأحدث
problem-number = إن تكرر ذلك فأخبرنا بهذا الرقم: { $number }
not-found-title = لا توجد صفحة كهذه
not-found = ربما نُقلت. في الأرشيف كل ما نُشر.
wrong-method-title = غير ممكن
wrong-method = لا يمكن استعمال هذا العنوان بهذه الطريقة.
foreign-form-title = ليس من هذا الموقع
foreign-form = لم يُرسل النموذج من هذا الموقع. افتح الصفحة هنا وأرسله من جديد.
too-often-title = طلبات كثيرة
too-often = وصل عدد كبير من الطلبات من اتصالك. حاول بعد ساعة.
flooded-title = ازدحام الآن
flooded = عدد المشتركين الآن أكبر مما نستطيع خدمته معًا. حاول بعد بضع دقائق.
form-refused-title = لم ينجح ذلك
form-malformed = تعذّرت قراءة النموذج. افتح الصفحة وأرسله من جديد.
form-too-slow = تأخر وصول النموذج. أرسله من جديد.
form-too-large = النموذج أكبر من أي نموذج في هذا الموقع.
form-wrong-kind = لا يقبل هذا العنوان إلا النماذج.
broken-title = الخطأ منّا
broken = حدث خلل هنا. حاول بعد بضع دقائق.

## الرسائل

view-in-browser = اقرأ في المتصفح
mail-why = تصلك هذه الرسالة لأنك مشترك في { $newsletter }، { $rhythm }.
unsubscribe = إلغاء الاشتراك
digest-subject = { $count ->
        [zero] { $title }
        [one] { $title } ومقال آخر
        [two] { $title } ومقالان آخران
        [few] { $title } و{ $count } مقالات أخرى
        [many] { $title } و{ $count } مقالًا آخر
       *[other] { $title } و{ $count } مقال آخر
    }
digest-also = وأيضًا: { $titles }
confirm-mail-subject = أكِّد اشتراكك في { $publication }
confirm-mail-kind = يُرجى التأكيد
confirm-mail-intro = طلب أحدهم، ونظنه أنت، أن يصل هذا إلى عنوانك:
confirm-mail-asked = طُلب ذلك في الموقع في { $date }. إن لم تكن أنت فلا تفعل شيئًا: لن يصل بريد من دون هذه النقرة.
link-works-for = { $hours ->
        [zero] لم يعد الرابط صالحًا.
        [one] الرابط صالح ساعة واحدة.
        [two] الرابط صالح ساعتين.
        [few] الرابط صالح { $hours } ساعات.
        [many] الرابط صالح { $hours } ساعة.
       *[other] الرابط صالح { $hours } ساعة.
    }
button-fails = إن لم يعمل الزر فافتح هذا العنوان:
open-this-address = للتأكيد افتح هذا العنوان.

## تسجيل الدخول والحساب

sign-in = تسجيل الدخول
sign-in-text = اكتب عنوانك فيصلك رابط ورمز بالبريد. لا توجد كلمة مرور.
sign-in-send = أرسل لي رابطًا
sign-in-mailed = { $minutes ->
        [one] إن كان هذا العنوان معروفًا لدينا فرسالة فيها رابط ورمز في طريقها إليك. كلاهما صالح لدقيقة واحدة.
        [two] إن كان هذا العنوان معروفًا لدينا فرسالة فيها رابط ورمز في طريقها إليك. كلاهما صالح لدقيقتين.
        [few] إن كان هذا العنوان معروفًا لدينا فرسالة فيها رابط ورمز في طريقها إليك. كلاهما صالح لمدة { $minutes } دقائق.
       *[other] إن كان هذا العنوان معروفًا لدينا فرسالة فيها رابط ورمز في طريقها إليك. كلاهما صالح لمدة { $minutes } دقيقة.
    }
sign-in-code-text = افتح الرابط الذي في الرسالة، أو اكتب رمزها هنا.
sign-in-code = الرمز
sign-in-wrong-code = هذا الرمز لا يعمل. تحقّق منه، أو اطلب رمزًا جديدًا.
sign-in-nothing-came = لم يصلك شيء؟ انظر في البريد غير المرغوب فيه، أو اطلب الإرسال مرة أخرى.
sign-in-again = أرسلها مرة أخرى
sign-in-other-address = عنوان آخر
sign-in-here-text = طلبت في هذا المتصفح الدخول بعنوان { $email }. نقرة واحدة وتدخل.
sign-in-elsewhere-text = طلبت في متصفح آخر الدخول بعنوان { $email }. اكتب هذا الرمز هناك:
sign-in-instead-text = أتفضّل القراءة هنا؟ سجّل الدخول هنا إن كنت أنت من طلب ذلك.
sign-in-instead = سجّل الدخول هنا بدلًا من ذلك
sign-in-not-you = إن لم تطلب هذا فأغلق الصفحة. لم يحدث شيء.
sign-in-expired-text = استُخدم من قبل، أو مضى وقته، أو أُرسل رابط أحدث. اطلب رابطًا آخر يصلك في لحظات.
signed-in-title = أهلًا بعودتك
signed-in = أهلًا بعودتك. لقد سجّلت الدخول.
account = حسابك
account-link = الحساب
account-of = سجّلت الدخول بعنوان { $email }.
sessions = أين سجّلت الدخول
session-browser = متصفح
session-this = هذا المتصفح
session-times = منذ { $since }، آخر ظهور { $seen }
session-end = سجّل الخروج هناك
sign-out = تسجيل الخروج
sign-out-everywhere = تسجيل الخروج من كل مكان
sign-in-mail-subject = تسجيل الدخول إلى { $publication }
sign-in-mail-link = { $minutes ->
        [one] بهذا الرابط تسجّل الدخول. يعمل مرة واحدة، لدقيقة واحدة.
        [two] بهذا الرابط تسجّل الدخول. يعمل مرة واحدة، لدقيقتين.
        [few] بهذا الرابط تسجّل الدخول. يعمل مرة واحدة، لمدة { $minutes } دقائق.
       *[other] بهذا الرابط تسجّل الدخول. يعمل مرة واحدة، لمدة { $minutes } دقيقة.
    }
sign-in-mail-code = أو اكتب هذا الرمز في المتصفح الذي طلبت منه:
sign-in-mail-keep = لا تُعِد توجيه هذه الرسالة أبدًا، ولا تخبر أحدًا بالرمز: من يملكه يدخل باسمك. ولن تطلبه منك { $publication } أبدًا.
sign-in-mail-asked = طُلب هذا في { $date }. إن لم تكن أنت من طلبه فلا تفعل شيئًا: لا يدخل أحد دون هذه الرسالة.
sign-in-mail-asked-with = طُلب هذا في { $date } باستخدام { $browser }. إن لم تكن أنت من طلبه فلا تفعل شيئًا: لا يدخل أحد دون هذه الرسالة.

## الاشتراك والترحيب

address-meant = أي عنوان هو الصحيح؟
leave-empty = اترك هذا فارغًا
send-again = إرسال مرة أخرى
subscribe-from-elsewhere = اضغط الزر مرة أخرى لتصلك رسالة فيها رابط التأكيد.
welcome-mail-subject = أهلًا بك في { $publication }
welcome-mail-kind = أهلًا
welcome-mail-title = سعداء بانضمامك
welcome-mail-intro = تم اشتراكك. هذا ما يصلك من { $publication } ومتى:
welcome-mail-choose = وتيرة أو مواضيع أخرى
welcome-mail-why = تصلك هذه الرسالة مرة واحدة لأنك أكدت عنوانك للتو.

## The account

account-feed = خلاصتك الخاصة
account-feed-is = أضف هذا العنوان إلى قارئ الخلاصات، فيصلك كل مقال بالقدر الذي يحق لك قراءته.
account-feed-address = عنوان خلاصتك
account-feed-secret = من يملك هذا العنوان يقرأ ما تقرؤه، فاحتفظ به لنفسك. والعنوان الجديد يبطل هذا العنوان.
account-feed-new = إنشاء عنوان جديد
account-next = رسائلك القادمة
account-next-if = لا يصل الموجز إلا إذا كان هناك جديد.
account-others = المزيد للقراءة
account-add = الاشتراك في { $newsletter }
account-you = عنك
account-name = الاسم
account-zone = المنطقة الزمنية
account-language = اللغة
account-data = بياناتك
account-export = تنزيل كل ما هو محفوظ عنك
erase-title = محو حسابي
erase-what = تنتهي جميع اشتراكاتك، ويُحذف عنوانك واسمك ولغتك ومنطقتك الزمنية من كل ما هو محفوظ، فورًا وإلى الأبد. وتُسجَّل خروجًا من كل مكان.
erase-kept = ما يبقى: أن عددًا من الرسائل أُرسل دون ذكر لمن، ورقم محسوب من عنوانك لا يمكن قراءته عكسًا، كي لا تعيدك أي قائمة يستوردها أحد. يمكنك أنت الاشتراك من جديد في أي وقت. ورسالة أخيرة تخبرك بأن ذلك قد تم.
erase-button = امحُ كل شيء الآن
erase-sign-in = كي لا يفعل ذلك أحد غيرك، سجّل الدخول مرة أخرى أولًا.
erased-mail-subject = مُحي حسابك في { $publication }
erased-mail-kind = تم المحو
erased-mail-text = مُحي كل ما كانت { $publication } تحفظه عنك. هذه آخر رسالة، وتُحذف آثارها أيضًا خلال يومين.
erased-mail-why = تصلك هذه الرسالة مرة واحدة لأن شخصًا سجّل الدخول باسمك طلب ذلك.
erased-page = مُحي حسابك. إلى اللقاء، وشكرًا لقراءتك.
stopped-subject = توقف الإرسال: { $newsletters }
stopped-kind = توقف الإرسال
stopped-text = { $what ->
        [complaint] أبلغ عدد كبير من القراء عن رسائل { $newsletters } بوصفها مزعجة.
        [policy] رُفض عدد كبير من رسائل { $newsletters }.
        [authentication] تُرفض رسائل { $newsletters } بسبب المصادقة أو إعدادات DNS لدينا.
       *[other] كثير من صناديق البريد التي تُرسل إليها { $newsletters } غير موجود.
    }
stopped-next = أُوقفت الأعداد التي كانت قيد الإرسال، وما يُعدّ من الآن ينتظر؛ أما روابط تسجيل الدخول ورسائل التأكيد فما زالت تُرسل. يعرض الأمر «pressrun doctor --dns» المزيد. وبعد زوال السبب يتيح الأمر «pressrun issue resume» متابعة الإرسال.
stopped-why = تصلك هذه الرسالة لأن الردود على النشرة تأتي إلى هذا العنوان.
new-address = عنوان البريد الجديد
new-address-title = تغيير عنوانك
new-address-send = أرسل رابطًا إليه
new-address-mailed = إن أمكن أن يكون هذا العنوان لك هنا، فرسالة فيها رابط للتأكيد في طريقها إليه، وهو صالح مدة 24 ساعة. وحتى ذلك الحين لا يتغيّر شيء.
new-address-text = من الآن يُرسل كل ما يخص حسابك هنا إلى { $email }. وتُسجَّل خروجًا من كل مكان، ويُبلَّغ العنوان القديم.
new-address-mail-subject = أكّد عنوانك الجديد في { $publication }
new-address-mail-text = طلب أحدهم، ونظنه أنت، أن يكون هذا عنوان حسابه في { $publication }. أكّده بهذا الرابط.
new-address-mail-why = طُلب هذا في { $date } ممن كان مسجّل الدخول. إن لم تكن أنت من طلبه فلا تفعل شيئًا: دون النقر لا يتغيّر شيء.
old-address-title = استعادة عنوانك
old-address-text = يعود إلى حسابك عنوانه القديم { $email }، ويُسجَّل الجميع خروجًا منه.
old-address-button = استعادة العنوان
old-address-mail-subject = تغيّر عنوانك في { $publication }
old-address-mail-text = لحسابك في { $publication } عنوان آخر منذ { $date }. إن كنت أنت من غيّره فكل شيء على ما يرام. وإلا فاستعد القديم بهذا الرابط، ويُسجَّل خروج من فعل ذلك.
old-address-mail-why = تصلك هذه الرسالة مرة واحدة لأن هذا كان عنوان الحساب.
address-moved-title = تغيّر العنوان
address-moved = تغيّر عنوان الحساب، وسُجّل الجميع خروجًا منه. سجّل الدخول من جديد بالعنوان الذي له الآن.
address-sign-in = كي لا يغيّر عنوانك أحد غيرك، سجّل الدخول مرة أخرى أولًا.
language-name = العربية

## المال

decimal-mark = .
money-symbol = { $amount }{"\u00A0"}{ $currency }
money-code = { $amount }{"\u00A0"}{ $currency }
price-each = { $every ->
        [month] { $price } في الشهر
       *[year] { $price } في السنة
    }

bill-kind = { $what ->
        [begun] عضويتك
        [paid] إيصال
        [failed] تعذّر الدفع
        [given-back] استرداد
       *[other] عضويتك
    }
bill-subject = { $what ->
        [begun] أنت عضو في { $publication }
        [paid] إيصال: { $amount } إلى { $publication }
        [failed] { $publication }: تعذّر دفع { $amount }
        [given-back] { $publication }: نعيد إليك { $amount }
        [cancelled] ستنتهي عضويتك في { $publication }
       *[ended] انتهت عضويتك في { $publication }
    }
bill-title = { $what ->
        [begun] أهلًا بك عضوًا
        [paid] شكرًا لك
        [failed] تعذّر الدفع
        [given-back] نعيد إليك { $amount }
        [cancelled] ستنتهي عضويتك
       *[ended] انتهت عضويتك
    }
bill-text = { $what ->
        [begun] بدأت فترتك التجريبية في «{ $plan }» يوم { $day }. لن يُخصم شيء قبل نهايتها، ثم تبلغ التكلفة { $amount }.
        [paid] استلمنا يوم { $day } مبلغ { $amount } مقابل «{ $plan }».
        [failed] لم نتمكن من خصم { $amount } مقابل «{ $plan }». يمكنك متابعة القراءة حتى { $until }؛ نرجو مراجعة بطاقتك قبل ذلك.
        [given-back] مبلغ { $amount } مقابل «{ $plan }» في طريقه إلى البطاقة التي دُفع منها. قد يستغرق ذلك بضعة أيام.
        [cancelled] أُلغي «{ $plan }». يمكنك قراءة كل شيء حتى { $until }، ولن يُخصم شيء بعد الآن.
       *[ended] انتهى «{ $plan }»، ولن يُخصم شيء بعد الآن. تبقى نشراتك كما هي.
    }
bill-lapsed = لم نتمكن من خصم { $amount } مقابل «{ $plan }»، وما يخص الأعضاء مغلق إلى أن يُدفع المبلغ. نرجو مراجعة بطاقتك.
bill-next = { $what ->
        [failed] ستُعاد محاولة الدفع يوم { $day }.
       *[other] يستحق الدفع التالي يوم { $day }.
    }
bill-account = { $what ->
        [failed] غيّر البطاقة
       *[other] حسابك
    }
bill-why = تصلك هذه الرسالة لأنك تدفع مقابل عضوية أو دفعت من قبل.

plans = كن عضوًا
plans-intro = يقرأ أعضاء { $site } كل مقال كاملًا، هنا وفي بريدهم.
plans-paid = شكرًا لك. رسالة فيها رابط ورمز للدخول في طريقها إلى العنوان الذي دفعت به.
plans-small-print = تدفع على صفحة لخدمة الدفع لدينا. يمكنك الإلغاء في أي وقت، وتتابع القراءة لما دفعته.
plans-sign-in = هل أنت عضو؟ سجّل الدخول
plans-other = خطط أخرى
plan-yours = هذه خطتك.
plan-trial = { $days ->
        [one] اليوم الأول مجاني.
        [two] أول يومين مجانًا.
        [few] أول { $days } أيام مجانًا.
       *[other] أول { $days } يومًا مجانًا.
    }
plan-buy = اختر { $price }
hand-over-title = إلى خدمة الدفع
hand-over = إن لم يحدث شيء بعد لحظة، فتابع من هنا.
hand-over-button = تابع
switch-title = تغيير الخطة
switch-to = تنتقل فورًا إلى «{ $plan }».
switch-credit = يُخصم ما تبقى من خطتك الحالية: { $amount }
switch-now = المطلوب الآن: { $amount }
switch-next = ثم { $amount } يوم { $day }
switch-button = غيّر وادفع { $amount }
switch-declined = رُفضت البطاقة، ولم يتغير شيء.
billing-updated-title = حُدّثت بيانات الدفع
billing-updated = حُدّثت بيانات الدفع.
billing-not-updated-title = لم تُحدَّث بيانات الدفع
billing-not-updated = لم تُحدَّث بيانات الدفع.
membership = العضوية
membership-state = { $state ->
        [granted] أنت عضو حتى { $until }، وتقرأ كل مقال كاملًا.
        [trial] فترتك التجريبية جارية، وتقرأ كل مقال كاملًا.
        [active] أنت عضو، وتقرأ كل مقال كاملًا.
        [past-due] دفعتك الأخيرة ناقصة. تقرأ كل مقال كاملًا حتى { $until }؛ نرجو مراجعة بطاقتك قبل ذلك.
        [lapsed] لم تصل دفعتك الأخيرة، وما يخص الأعضاء مغلق إلى أن تُدفع. نرجو مراجعة بطاقتك.
       *[cancelled] أُلغيت عضويتك. تقرأ كل مقال كاملًا حتى { $until }.
    }
membership-next = يستحق الدفع التالي يوم { $day }.
membership-card = غيّر البطاقة
membership-invoices = الفواتير
membership-cancel = ألغِ العضوية
membership-resume = تراجع عن الإلغاء
invoice-state = { $state ->
        [paid] مدفوعة
        [open] مستحقة
        [given-back] مستردة
        [disputed] متنازع عليها
       *[void] ملغاة
    }
erase-membership = تنتهي عضويتك فورًا، ولا يُعاد ما تبقى منها. تحتفظ خدمة الدفع بفواتيرها كما يقتضي القانون.
payment-away-title = خدمة الدفع لا تجيب
payment-away = ربما تم ما طلبته وربما لم يتم؛ سيظهر ذلك في حسابك بعد بضع دقائق. إن كنت قد دفعت فستصبح عضوًا حالما تجيب.
