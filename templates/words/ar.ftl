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
        [1] اثنين
        [2] ثلاثاء
        [3] أربعاء
        [4] خميس
        [5] جمعة
        [6] سبت
       *[7] أحد
    } الساعة { $hour }
kind-instant = مقال جديد
kind-daily = النشرة اليومية
kind-weekly = النشرة الأسبوعية

## صفحات القرّاء

subscribe = اشتراك
confirm = تأكيد
leave = إلغاء الاشتراك
form-mistake-title = خطأ في النموذج · اشتراك
expired-title = لم يعد هذا الرابط صالحًا
nobodys-leave-title = هذا الرابط غير مكتمل
check-your-mail-title = تفقّد بريدك
signed-up-title = تم تأكيد عنوانك
subscribed-title = تم اشتراكك
left-title = تم إلغاء اشتراكك
saved-title = تم الحفظ

## What a reader chooses

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
preferences-rarer = أقل تكرارًا: مرة في الأسبوع
preferences-leave = إلغاء الاشتراك في { $newsletter }
preferences-leave-all = إلغاء جميع الاشتراكات
preferences-why = تصلك { $newsletter } لأنك اشتركت فيها. من يملك هذا الرابط يستطيع تغيير طريقة وصول البريد ولا شيء غير ذلك، فاحتفظ به لنفسك.
preferences-left = لم تعد تصلك { $newsletter }.
next-paused = متوقف حتى { $day }.
next-digest = تصلك الخلاصة التالية في { $moment }، إن كان هناك جديد.
next-digest-then-instant = بعد خلاصة { $moment } يصلك كل مقال فور نشره.
next-instant = يصلك كل مقال فور نشره.
choices-cadence = كم مرة
choices-hour = تصل الخلاصات في الساعة ({ $zone })
choices-weekday = تصل الخلاصة الأسبوعية يوم
choices-topics = المواضيع
choices-all-topics = لا تختر شيئًا لتصلك جميعها.
choices-pause = إيقاف حتى (فارغ: دون إيقاف)
choices-pause-wrong = اكتب يومًا قادمًا، مثل 2027-01-31.
choices-save = حفظ
mail-preferences = أقل تكرارًا، مواضيع أخرى، إيقاف مؤقت
